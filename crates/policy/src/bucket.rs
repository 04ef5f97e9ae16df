//! Policies of buckets: whom a bucket lets in, whatever its ACL says.
//!
//! They come in two forms, told apart by their `Version`: that of OSS (`"1"`) and that of S3. Both are
//! read into the same rules, in the words of the OSS protocol. A document asks only for what requests
//! here tell: an unknown action, principal or condition key is refused and not taken for one that
//! never applies, since a rule that is stored and never obeyed would be a false promise.

use base::AccountId;
use serde::Deserialize;

use crate::condition::Condition;
use crate::document::{
    Effect, Malformed, Patterns, Principal, RawConditions, Statement, check_action, conditions,
    exactly_one,
};
use crate::evaluate::{Asker, Facts, Party, applies, is};
use crate::json::{Object, One, OneOrMany};
use crate::{matcher, s3};

/// The bucket that a policy is of.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// Its owner.
    pub owner: AccountId,
    /// Its name.
    pub bucket: &'a str,
}

/// What a bucket's policy says of a request, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// It allows the asker's account as a whole: the asker needs its own account's leave besides.
    AllowsAccount,
    /// It allows the asker itself.
    Allows,
    /// It denies.
    Denies,
}

/// A bucket's policy, checked and ready to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPolicy {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    whom: Whom,
    /// What it is about; its own principals are empty.
    statement: Statement,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    These(Vec<Who>),
    AllBut(Vec<Who>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Anybody,
    Named(Principal),
    /// The number of an account, a user or a role.
    Id(String),
    /// A service, by the name that S3 gives it.
    Service(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Oss,
    S3,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawPolicy {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<RawRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawRule {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    principal: Option<RawPrincipal>,
    not_principal: Option<RawPrincipal>,
    condition: Option<RawConditions>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawPrincipal {
    Kinds(Object<OneOrMany<String>>),
    Names(OneOrMany<String>),
}

impl BucketPolicy {
    /// Reads the policy of a bucket, in either form.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub fn parse(text: &str, home: Home<'_>) -> Result<Self, Malformed> {
        let One(raw): One<RawPolicy> =
            serde_json::from_str(text).map_err(|error| Malformed::new(error.to_string()))?;
        let form = match raw.version.as_deref() {
            Some("1") => Form::Oss,
            None | Some("2012-10-17" | "2008-10-17") => Form::S3,
            Some(other) => {
                return Err(Malformed::new(format!("there is no policy version `{other}`")));
            }
        };
        let OneOrMany(raw) = raw.statement;
        let rules = raw.into_iter().map(|raw| rule(raw, form, home)).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// What it says of a request.
    pub fn says(&self, facts: &Facts<'_>) -> Says {
        // Whom a rule means by everybody are those who ask, not what the cloud itself does: that a rule has
        // to name to allow it.
        let service = matches!(facts.asker.party, Party::Service(_));
        let of_rule = |rule: &Rule| match rule.whom.includes(facts.asker) {
            Says::Nothing => Says::Nothing,
            _ if service
                && rule.statement.effect == Effect::Allow
                && !rule.whom.is_of_services() =>
            {
                Says::Nothing
            }
            _ if !applies(&rule.statement, facts) => Says::Nothing,
            _ if rule.statement.effect == Effect::Deny => Says::Denies,
            allows => allows,
        };
        self.rules.iter().map(of_rule).max().unwrap_or(Says::Nothing)
    }

    /// Whether it lets anybody at all in, from anywhere.
    pub fn is_public(&self) -> bool {
        let anybody = |whom: &Whom| match whom {
            Whom::These(who) => who.contains(&Who::Anybody),
            Whom::AllBut(_) => true,
        };
        self.rules.iter().any(|rule| {
            rule.statement.effect == Effect::Allow
                && anybody(&rule.whom)
                && !rule.statement.conditions.iter().any(narrows)
        })
    }
}

/// Whether a condition lets in only those who come from certain networks: none of them so wide that it is, or
/// with others makes, all of the Internet.
fn narrows(condition: &Condition) -> bool {
    let wide = |block: String| {
        let least = if block.contains(':') { 32 } else { 8 };
        let bits = block.rsplit_once('/').and_then(|(_, bits)| bits.parse::<u32>().ok());
        bits.is_some_and(|bits| bits < least)
    };
    condition.key() == "acs:SourceIp"
        && condition.operator() == "IpAddress"
        && !condition.values().any(wide)
}

impl Whom {
    fn is_of_services(&self) -> bool {
        let service = |who: &Who| matches!(who, Who::Service(_));
        matches!(self, Self::These(who) if who.iter().any(service))
    }

    /// How it names who asks.
    fn includes(&self, asker: Asker<'_>) -> Says {
        let named = |who: &[Who]| who.iter().map(|who| who.names(asker)).max();
        match self {
            Self::These(who) => named(who).unwrap_or(Says::Nothing),
            Self::AllBut(who) if named(who).is_none_or(|named| named == Says::Nothing) => {
                Says::Allows
            }
            Self::AllBut(_) => Says::Nothing,
        }
    }
}

impl Who {
    fn names(&self, asker: Asker<'_>) -> Says {
        if *self == Self::Anybody {
            return Says::Allows;
        }
        if let (Self::Service(wanted), Party::Service(name)) = (self, asker.party) {
            return if wanted == name { Says::Allows } else { Says::Nothing };
        }
        // Who did not sign has account 0, which no rule means.
        let whole = match (self, asker.party) {
            (Self::Anybody | Self::Service(_), _) | (_, Party::Unnamed | Party::Service(_)) => {
                return Says::Nothing;
            }
            (Self::Named(principal), _) if is(principal, asker) => {
                matches!(principal, Principal::Account(_))
            }
            (Self::Id(wanted), Party::User { id, .. } | Party::Role { id, .. }) if wanted == id => {
                false
            }
            (Self::Id(wanted), _) if *wanted == asker.account.to_string() => true,
            _ => return Says::Nothing,
        };
        if whole { Says::AllowsAccount } else { Says::Allows }
    }
}

fn rule(raw: RawRule, form: Form, home: Home<'_>) -> Result<Rule, Malformed> {
    let actions = actions(exactly_one("Action", raw.action, raw.not_action)?, form)?;
    let resources = exactly_one("Resource", raw.resource, raw.not_resource)?;
    let any = resources.any.iter().map(|name| resource(name, form, home));
    let resources = Patterns { any: any.collect::<Result<_, _>>()?, ..resources };
    let whom = match (raw.principal, raw.not_principal) {
        (Some(raw), None) => Whom::These(principals(raw, form)?),
        (None, Some(_)) if raw.effect == Effect::Allow => {
            return Err(Malformed::new("NotPrincipal stands beside Deny only"));
        }
        (None, Some(raw)) => Whom::AllBut(principals(raw, form)?),
        // OSS takes them. They open nothing: what is allowed to nobody is not allowed, what is denied to nobody in
        // particular is denied to all.
        (None, None) if form == Form::Oss && raw.effect == Effect::Allow => Whom::These(Vec::new()),
        (None, None) if form == Form::Oss => Whom::AllBut(Vec::new()),
        _ => return Err(Malformed::new("a statement needs either Principal or NotPrincipal")),
    };
    let read = |raw| conditions(s3::operators(raw, form == Form::S3));
    let conditions = raw.condition.map_or_else(|| Ok(Vec::new()), read)?;
    let conditions =
        conditions.into_iter().map(|one| condition(one, form)).collect::<Result<_, _>>()?;
    let statement = Statement {
        effect: raw.effect,
        principals: Vec::new(),
        actions,
        resources: Some(resources),
        conditions,
    };
    Ok(Rule { whom, statement })
}

fn actions(given: Patterns, form: Form) -> Result<Patterns, Malformed> {
    let mut any = Vec::new();
    for pattern in given.any {
        matcher::check(&pattern)?;
        check_action(&pattern)?;
        let mut named = match form {
            Form::S3 => s3::expand(&pattern),
            Form::Oss if pattern == "*" || of_oss(&pattern) => vec![pattern.clone()],
            Form::Oss => Vec::new(),
        };
        if named.is_empty() {
            return Err(Malformed::new(format!("there is no action `{pattern}` on buckets here")));
        }
        any.append(&mut named);
    }
    Ok(Patterns { any, ..given })
}

fn of_oss(action: &str) -> bool {
    action.split_once(':').is_some_and(|(service, _)| service.eq_ignore_ascii_case("oss"))
}

/// The pattern of what a policy names, which must be of its own bucket.
fn resource(name: &str, form: Form, home: Home<'_>) -> Result<String, Malformed> {
    matcher::check(name)?;
    check_variables(name, form)?;
    let owner = home.owner.to_string();
    let relative = match form {
        Form::S3 => name.strip_prefix("arn:aws:s3:::"),
        Form::Oss => matcher::split(name)
            .filter(|parts| parts.scheme == "acs" && parts.service == "oss")
            .filter(|parts| matches!(parts.account, "" | "*") || parts.account == owner)
            .map(|parts| parts.relative),
    };
    let own = |relative: &&str| {
        let rest = relative.strip_prefix(home.bucket);
        // Patterns of everything are about this bucket alone: no other asks its policy.
        matches!(*relative, "*" | "*/*")
            || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
    };
    let relative = relative.filter(own).ok_or_else(|| {
        Malformed::new(format!("the resource `{name}` is not of the bucket `{}`", home.bucket))
    })?;
    Ok(format!("acs:oss:*:{owner}:{relative}"))
}

/// Refuses `${…}` where S3 would put a value of the request in its place.
fn check_variables(text: &str, form: Form) -> Result<(), Malformed> {
    if form == Form::S3 && text.contains("${") {
        return Err(Malformed::new(format!("`{text}`: there are no policy variables here")));
    }
    Ok(())
}

fn principals(raw: RawPrincipal, form: Form) -> Result<Vec<Who>, Malformed> {
    match (raw, form) {
        (RawPrincipal::Names(OneOrMany(names)), Form::Oss) => {
            names.iter().map(|name| oss_principal(name)).collect()
        }
        (RawPrincipal::Names(OneOrMany(names)), Form::S3) if names == ["*"] => {
            Ok(vec![Who::Anybody])
        }
        (RawPrincipal::Kinds(Object(kinds)), Form::S3) => {
            let mut who = Vec::new();
            for (kind, OneOrMany(names)) in kinds {
                let read = match kind.as_str() {
                    "AWS" => s3_principal,
                    "Service" => service,
                    _ => {
                        let reason = format!("there is no principal of kind `{kind}`");
                        return Err(Malformed::new(reason));
                    }
                };
                for name in names {
                    who.push(read(&name)?);
                }
            }
            Ok(who)
        }
        (_, Form::Oss) => Err(Malformed::new("the Principal must be a list of ids")),
        (_, Form::S3) => Err(Malformed::new("the Principal must be \"*\" or {\"AWS\": …}")),
    }
}

fn oss_principal(name: &str) -> Result<Who, Malformed> {
    if name == "*" {
        return Ok(Who::Anybody);
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        let reason = format!("the principal `{name}` must be `*` or the id of an account or user");
        return Err(Malformed::new(reason));
    }
    Ok(Who::Id(name.to_owned()))
}

fn s3_principal(name: &str) -> Result<Who, Malformed> {
    if name == "*" {
        return Ok(Who::Anybody);
    }
    let named = match name.strip_prefix("arn:aws:iam::") {
        Some(rest) => Principal::from_arn(&format!("acs:ram::{rest}")),
        None => name.parse().ok().map(Principal::Account),
    };
    named.map(Who::Named).ok_or_else(|| {
        Malformed::new(format!(
            "the principal `{name}` must be `*`, an account's id, or arn:aws:iam::<account>: followed by root, user/<name> or role/<name>"
        ))
    })
}

/// A service that is not here never asks, so a rule may name any.
fn service(name: &str) -> Result<Who, Malformed> {
    let host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    if name.contains('.') && name.bytes().all(host) {
        return Ok(Who::Service(name.to_owned()));
    }
    let reason = format!("the service `{name}` must be a name as logging.s3.amazonaws.com");
    Err(Malformed::new(reason))
}

fn condition(given: Condition, form: Form) -> Result<Condition, Malformed> {
    given.values().try_for_each(|value| check_variables(&value, form))?;
    let known = s3::key(given.key()).ok_or_else(|| {
        let reason = format!("buckets' policies have no condition key `{}`", given.key());
        Malformed::new(reason)
    })?;
    Ok(given.under(&known))
}

#[cfg(test)]
mod tests;
