//! Policy documents: their grammar, checked once when they are stored.

use std::fmt;

use base::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::condition::Condition;
use crate::json::{Object, One, OneOrMany, Scalar};
use crate::matcher;

/// The longest document, in characters.
pub const DOCUMENT_MAX: usize = 6144;

/// Why a document was refused: one sentence for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// What a statement does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// Patterns of actions or resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    /// True for `NotAction` and `NotResource`: all but these.
    pub negated: bool,
    /// The patterns, at least one.
    pub any: Vec<String>,
}

impl Patterns {
    fn hold(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.any.iter().any(|pattern| matches(pattern)) != self.negated
    }

    /// Whether they cover an action. Its case does not matter.
    pub fn cover_action(&self, action: &str) -> bool {
        self.hold(|pattern| matcher::glob(pattern, action, true))
    }

    /// Whether they cover a resource. Its case matters.
    pub fn cover_resource(&self, arn: &str) -> bool {
        self.hold(|pattern| matcher::resource(pattern, arn))
    }
}

/// Whom a trust policy trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Everybody in an account whose own policies let them: `acs:ram::<account>:root`.
    Account(AccountId),
    /// One user: `acs:ram::<account>:user/<name>`.
    User(AccountId, String),
    /// The sessions of one role: `acs:ram::<account>:role/<name>`.
    Role(AccountId, String),
    /// A service of the cloud, as `ecs.aliyuncs.com`.
    Service(String),
}

impl Principal {
    fn parse_ram(arn: &str) -> Result<Self, Malformed> {
        Self::from_arn(arn).ok_or_else(|| {
            Malformed::new(format!(
                "the RAM principal `{arn}` must be acs:ram::<account>: followed by root, user/<name> or role/<name>"
            ))
        })
    }

    pub(crate) fn from_arn(arn: &str) -> Option<Self> {
        let parts = matcher::split(arn)?;
        if parts.scheme != "acs" || parts.service != "ram" || !matches!(parts.region, "" | "*") {
            return None;
        }
        let account = parts.account.parse().ok()?;
        let plain = |name: &str| !name.is_empty() && !name.contains(['*', '?', '/']);
        match parts.relative.split_once('/') {
            None if matches!(parts.relative, "root" | "*") => Some(Self::Account(account)),
            Some(("user", name)) if plain(name) => Some(Self::User(account, name.to_owned())),
            Some(("role", name)) if plain(name) => Some(Self::Role(account, name.to_owned())),
            _ => None,
        }
    }

    fn render(&self) -> (&'static str, String) {
        match self {
            Self::Account(account) => ("RAM", format!("acs:ram::{account}:root")),
            Self::User(account, name) => ("RAM", format!("acs:ram::{account}:user/{name}")),
            Self::Role(account, name) => ("RAM", format!("acs:ram::{account}:role/{name}")),
            Self::Service(name) => ("Service", name.clone()),
        }
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does where it applies.
    pub effect: Effect,
    /// Whom it is about: only, and always, in a trust policy.
    pub principals: Vec<Principal>,
    /// What they do.
    pub actions: Patterns,
    /// To what: always, but not in a trust policy.
    pub resources: Option<Patterns>,
    /// When; all must hold.
    pub conditions: Vec<Condition>,
}

/// A policy, checked and ready to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its statements, at least one.
    pub statements: Vec<Statement>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Permission,
    Trust,
}

/// Condition keys of one operator, each with its values.
type RawKeys = One<Object<OneOrMany<Scalar>>>;

/// Conditions as documents write them: operators, each with its keys.
pub(crate) type RawConditions = One<Object<RawKeys>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawDocument {
    version: String,
    statement: OneOrMany<RawStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawStatement {
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    principal: Option<One<Object<OneOrMany<String>>>>,
    condition: Option<RawConditions>,
}

impl Document {
    /// Reads a permission policy.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Self::read(text, Kind::Permission)
    }

    /// Reads a trust policy: who may assume a role.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub fn parse_trust(text: &str) -> Result<Self, Malformed> {
        Self::read(text, Kind::Trust)
    }

    fn read(text: &str, kind: Kind) -> Result<Self, Malformed> {
        if text.chars().count() > DOCUMENT_MAX {
            return Err(Malformed::new(format!(
                "a policy document may have {DOCUMENT_MAX} characters at most"
            )));
        }
        let One(raw): One<RawDocument> =
            serde_json::from_str(text).map_err(|error| Malformed::new(error.to_string()))?;
        if raw.version != "1" {
            return Err(Malformed::new(format!(
                "the Version must be \"1\", not \"{}\"",
                raw.version
            )));
        }
        let statements = raw
            .statement
            .0
            .into_iter()
            .map(|raw| statement(raw, kind))
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// Writes it as JSON. Reading that back gives the same document.
    pub fn render(&self) -> String {
        let statements: Vec<Value> = self.statements.iter().map(render_statement).collect();
        json!({"Version": "1", "Statement": statements}).to_string()
    }
}

fn statement(raw: RawStatement, kind: Kind) -> Result<Statement, Malformed> {
    let actions = exactly_one("Action", raw.action, raw.not_action)?;
    for pattern in &actions.any {
        matcher::check(pattern)?;
        check_action(pattern)?;
    }
    let (principals, resources) = match kind {
        Kind::Permission => {
            if raw.principal.is_some() {
                return Err(Malformed::new("Principal stands in trust policies only"));
            }
            let resources = exactly_one("Resource", raw.resource, raw.not_resource)?;
            for pattern in &resources.any {
                matcher::check(pattern)?;
                check_resource(pattern)?;
            }
            (Vec::new(), Some(resources))
        }
        Kind::Trust => {
            if raw.resource.is_some() || raw.not_resource.is_some() {
                return Err(Malformed::new("a trust policy has no Resource: it is about its role"));
            }
            let One(given) =
                raw.principal.ok_or_else(|| Malformed::new("a trust policy needs a Principal"))?;
            (principals(given)?, None)
        }
    };
    let conditions = raw.condition.map_or_else(|| Ok(Vec::new()), conditions)?;
    Ok(Statement { effect: raw.effect, principals, actions, resources, conditions })
}

/// Reads the conditions of a statement.
pub(crate) fn conditions(given: RawConditions) -> Result<Vec<Condition>, Malformed> {
    let One(Object(operators)) = given;
    let mut conditions = Vec::new();
    for (operator, One(Object(keys))) in operators {
        for (key, OneOrMany(values)) in keys {
            let values: Vec<String> = values.into_iter().map(|Scalar(value)| value).collect();
            conditions.push(Condition::new(&operator, &key, &values)?);
        }
    }
    Ok(conditions)
}

pub(crate) fn exactly_one(
    name: &str,
    plain: Option<OneOrMany<String>>,
    not: Option<OneOrMany<String>>,
) -> Result<Patterns, Malformed> {
    match (plain, not) {
        (Some(OneOrMany(any)), None) => Ok(Patterns { negated: false, any }),
        (None, Some(OneOrMany(any))) => Ok(Patterns { negated: true, any }),
        _ => Err(Malformed::new(format!("a statement needs either {name} or Not{name}"))),
    }
}

pub(crate) fn check_action(pattern: &str) -> Result<(), Malformed> {
    let named = pattern
        .split_once(':')
        .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if named || pattern == "*" {
        return Ok(());
    }
    Err(Malformed::new(format!("the action `{pattern}` must be `*` or `service:name`")))
}

fn check_resource(pattern: &str) -> Result<(), Malformed> {
    let whole = matcher::split(pattern).is_some_and(|parts| !parts.relative.is_empty());
    if pattern == "*" || pattern.starts_with("acs:") && (whole || pattern.ends_with('*')) {
        return Ok(());
    }
    Err(Malformed::new(format!(
        "the resource `{pattern}` must be `*` or `acs:service:region:account:name`"
    )))
}

fn principals(Object(given): Object<OneOrMany<String>>) -> Result<Vec<Principal>, Malformed> {
    let mut principals = Vec::new();
    for (kind, OneOrMany(names)) in given {
        for name in names {
            principals.push(match kind.as_str() {
                "RAM" => Principal::parse_ram(&name)?,
                "Service" if !name.is_empty() => Principal::Service(name),
                "Federated" => {
                    return Err(Malformed::new("this cloud has no federated principals"));
                }
                _ => return Err(Malformed::new(format!("there is no principal of kind `{kind}`"))),
            });
        }
    }
    Ok(principals)
}

fn render_statement(statement: &Statement) -> Value {
    let mut out = serde_json::Map::new();
    out.insert("Effect".to_owned(), json!(statement.effect));
    if !statement.principals.is_empty() {
        let mut kinds = serde_json::Map::new();
        for principal in &statement.principals {
            let (kind, name) = principal.render();
            push(&mut kinds, kind, json!(name));
        }
        out.insert("Principal".to_owned(), Value::Object(kinds));
    }
    let name =
        |name: &str, negated: bool| if negated { format!("Not{name}") } else { name.to_owned() };
    out.insert(name("Action", statement.actions.negated), json!(statement.actions.any));
    if let Some(resources) = &statement.resources {
        out.insert(name("Resource", resources.negated), json!(resources.any));
    }
    if !statement.conditions.is_empty() {
        let mut operators = serde_json::Map::new();
        for condition in &statement.conditions {
            let keys = operators.entry(condition.operator()).or_insert_with(|| json!({}));
            keys[condition.key()] = condition.values().collect();
        }
        out.insert("Condition".to_owned(), Value::Object(operators));
    }
    Value::Object(out)
}

fn push(lists: &mut serde_json::Map<String, Value>, name: &str, value: Value) {
    let list = lists.entry(name).or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.push(value);
    }
}
