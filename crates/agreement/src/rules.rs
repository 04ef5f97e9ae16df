//! The clauses of one release as Cedar policies, and the answers that they give.
//!
//! Cedar denies what no policy permits, and a `forbid` wins: that is how a contract reads. It also
//! *skips* a policy that fails to evaluate, so that a broken `forbid` would let everything through; here
//! any diagnostic at all is a refusal. Policies are validated against [`SCHEMA`] in strict mode when
//! they are compiled, and a release that does not compile is no release.
//!
//! Between the few moments and amounts that the clauses compare with, a decision never changes. So each
//! is made once for each stretch between them and kept ([`Rules::ask`]).
//!
//! Deliberately not here: which release binds whom, and when; the database.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use base::{AccountId, ApiError, Code, Time, code};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use terms::Terms;
use terms::clauses::{DataClass, Residence};

/// What can be asked, as Cedar knows it.
const SCHEMA: &str = include_str!("rules/clauses.cedarschema");

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("the schema above is a schema");
    Validator::new(schema)
});

/// Grants every service.
const ALL: &str = "*";
/// Decisions kept of one release. Questions come from actions and from data centres, of which there are
/// few; the bound is against surprises.
const KEPT_MAX: usize = 4096;

/// The refusals that a clause can name, the weightiest first.
const REFUSALS: [&Code; 3] = [&code::NO_AGREEMENT, &code::AGREEMENT_ENDED, &code::SPENDING_LIMIT];

/// One question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    /// May the tenant use this service?
    Use {
        /// The product.
        service: &'a str,
        /// Whether the action begins new use.
        begins: bool,
        /// What the month has cost so far, micro-units.
        spent: i64,
    },
    /// May data of this class be put there?
    Place {
        /// The class.
        class: DataClass,
        /// The country of the data centre.
        country: &'a str,
        /// The data centre.
        site: &'a str,
    },
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The clauses allow it.
    Allowed,
    /// They do not, and this is the code to say so with.
    Refused(&'static Code),
}

/// One release's clauses, compiled.
pub(crate) struct Rules {
    tenant: EntityUid,
    policies: PolicySet,
    start: Time,
    end: Option<Time>,
    limit: Option<i64>,
    kept: RwLock<HashMap<Case, Verdict>>,
}

/// A question in the stretch of time and money in which its answer is the same.
#[derive(PartialEq, Eq, Hash)]
struct Case {
    class: Option<DataClass>,
    begins: bool,
    over_limit: bool,
    stretch: u8,
    /// The service; or the country and the data centre.
    subject: [Box<str>; 2],
}

impl Rules {
    /// Compiles the clauses of a release that binds between `start` and `end`.
    ///
    /// # Errors
    /// In words, where they do not make valid policies.
    pub(crate) fn compile(terms: &Terms, start: Time, end: Option<Time>) -> Result<Self, String> {
        let texts = policies(terms, start, end);
        Self::of(terms.account, &texts, (start, end), terms.spending_limit)
    }

    fn of(
        tenant: AccountId,
        texts: &[(String, String)],
        (start, end): (Time, Option<Time>),
        limit: Option<i64>,
    ) -> Result<Self, String> {
        let mut set = PolicySet::new();
        for (id, text) in texts {
            let policy = Policy::parse(Some(PolicyId::new(id)), text)
                .map_err(|error| format!("the clause {id} does not compile: {error}"))?;
            set.add(policy).map_err(|error| format!("the clause {id}: {error}"))?;
        }
        let validated = VALIDATOR.validate(&set, ValidationMode::Strict);
        if let Some(error) = validated.validation_errors().next() {
            return Err(format!("a clause is not valid: {error}"));
        }
        let tenant = entity("Tenant", &tenant.to_string())?;
        Ok(Self { tenant, policies: set, start, end, limit, kept: RwLock::default() })
    }

    /// Answers a question; from memory where the same was asked in the same stretch before.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` where a policy failed to evaluate: nothing is allowed then.
    pub(crate) fn ask(&self, question: &Question<'_>, now: Time) -> Result<Verdict, ApiError> {
        let case = self.case(question, now);
        if let Some(verdict) = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&case) {
            return Ok(*verdict);
        }
        let verdict = self.decide(question, now).map_err(ApiError::internal)?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(case, verdict);
        Ok(verdict)
    }

    fn case(&self, question: &Question<'_>, now: Time) -> Case {
        let over = self.end.is_some_and(|end| now >= end);
        let stretch = u8::from(now >= self.start) + u8::from(over);
        match *question {
            Question::Use { service, begins, spent } => Case {
                class: None,
                begins,
                over_limit: self.limit.is_some_and(|limit| spent >= limit),
                stretch,
                subject: [service.into(), Box::default()],
            },
            Question::Place { class, country, site } => Case {
                class: Some(class),
                begins: false,
                over_limit: false,
                stretch,
                subject: [country.into(), site.into()],
            },
        }
    }

    /// What Cedar says.
    fn decide(&self, question: &Question<'_>, now: Time) -> Result<Verdict, String> {
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let time = RestrictedExpression::new_long(now.micros());
        let (action, resource, context, otherwise) = match *question {
            Question::Use { service, begins, spent } => {
                let begins = RestrictedExpression::new_bool(begins);
                let spent = RestrictedExpression::new_long(spent);
                let context = vec![("time", time), ("begins", begins), ("spent", spent)];
                ("use", entity("Service", service)?, context, &code::SERVICE_NOT_GRANTED)
            }
            Question::Place { class, country, site } => {
                let context =
                    vec![("time", time), ("country", text(country)), ("site", text(site))];
                ("place", entity("Data", class.as_str())?, context, &code::RESIDENCY)
            }
        };
        let pairs = context.into_iter().map(|(key, value)| (key.to_owned(), value));
        let context = Context::from_pairs(pairs).map_err(|error| error.to_string())?;
        let action = entity("Action", action)?;
        let request = Request::new(self.tenant.clone(), action, resource, context, None)
            .map_err(|error| error.to_string())?;
        self.weigh(&request, otherwise)
    }

    fn weigh(&self, request: &Request, otherwise: &'static Code) -> Result<Verdict, String> {
        let answer = Authorizer::new().is_authorized(request, &self.policies, &Entities::empty());
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(format!("a clause failed to evaluate: {error}"));
        }
        if answer.decision() == Decision::Allow {
            return Ok(Verdict::Allowed);
        }
        let named: Vec<&str> = answer
            .diagnostics()
            .reason()
            .filter_map(|clause| self.policies.annotation(clause, "code"))
            .collect();
        let refusal = REFUSALS.into_iter().find(|code| named.contains(&code.name));
        Ok(Verdict::Refused(refusal.unwrap_or(otherwise)))
    }
}

fn entity(kind: &str, id: &str) -> Result<EntityUid, String> {
    format!("{kind}::{}", quoted(id)).parse().map_err(|error| format!("{kind} {id:?}: {error}"))
}

/// A string literal of Cedar, whose escapes are those of Rust.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

/// The policies, each with its id.
fn policies(terms: &Terms, start: Time, end: Option<Time>) -> Vec<(String, String)> {
    let mut out = vec![forbid(
        "term.start",
        &code::NO_AGREEMENT,
        "action",
        &format!("context.time < {}", start.micros()),
    )];
    if let Some(end) = end {
        let over = format!("context.time >= {}", end.micros());
        out.push(forbid("term.end", &code::AGREEMENT_ENDED, "action", &over));
    }
    if let Some(limit) = terms.spending_limit {
        let reached = format!("context.begins && context.spent >= {limit}");
        let using = "action == Action::\"use\"";
        out.push(forbid("spendingLimit", &code::SPENDING_LIMIT, using, &reached));
    }
    let tenant = format!("principal == Tenant::{}", quoted(&terms.account.to_string()));
    for (at, service) in terms.services.iter().enumerate() {
        let resource = match service.as_str() {
            ALL => "resource".to_owned(),
            name => format!("resource == Service::{}", quoted(name)),
        };
        let grant = format!("permit({tenant}, action == Action::\"use\", {resource});");
        out.push((format!("services.{at}"), grant));
    }
    for rule in &terms.residency.rules {
        out.extend(residence(&tenant, rule));
    }
    out
}

fn forbid(id: &str, code: &Code, action: &str, when: &str) -> (String, String) {
    let name = quoted(code.name);
    let text = format!("@code({name}) forbid(principal, {action}, resource) when {{ {when} }};");
    (id.to_owned(), text)
}

/// Where one class may be. A rule that names no country allows nothing, and Cedar has no empty sets.
fn residence(tenant: &str, rule: &Residence) -> Option<(String, String)> {
    if rule.countries.is_empty() {
        return None;
    }
    let one_of = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        names.join(", ")
    };
    let mut when = format!("[{}].contains(context.country)", one_of(&rule.countries));
    if !rule.sites.is_empty() {
        when.push_str(&format!(" && [{}].contains(context.site)", one_of(&rule.sites)));
    }
    let class = quoted(rule.class.as_str());
    let text = format!(
        "permit({tenant}, action == Action::\"place\", resource == Data::{class}) when {{ {when} }};"
    );
    Some((format!("residency.{}", rule.class.as_str()), text))
}

#[cfg(test)]
mod tests;
