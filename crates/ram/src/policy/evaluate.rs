//! What policies say of a request.

use std::borrow::Cow;

use engine::ports::Decision;
use engine::{Caller, CallerKind};

use super::{Document, Effect, Principal, Statement};

/// A request, as policies see it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The permission: `oss:PutObject`.
    pub action: &'a str,
    /// The resource's ARN.
    pub resource: &'a str,
    /// Who asks.
    pub caller: &'a Caller,
    /// What the request says under a condition key (compare keys without case): nothing, one value
    /// or more.
    pub values: &'a dyn Fn(&str) -> Vec<Cow<'a, str>>,
}

/// What documents say together: one denial outweighs everything, and what nobody allows is denied.
pub fn evaluate<'d>(
    documents: impl IntoIterator<Item = &'d Document>,
    facts: &Facts<'_>,
) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for statement in documents.into_iter().flat_map(|document| &document.statements) {
        if !applies(statement, facts) {
            continue;
        }
        match statement.effect {
            Effect::Deny => return Decision::ExplicitDeny,
            Effect::Allow => decision = Decision::Allow,
        }
    }
    decision
}

fn applies(statement: &Statement, facts: &Facts<'_>) -> bool {
    let principals = &statement.principals;
    statement.actions.cover_action(facts.action)
        && statement
            .resources
            .as_ref()
            .is_none_or(|resources| resources.cover_resource(facts.resource))
        && (principals.is_empty() || principals.iter().any(|principal| is(principal, facts.caller)))
        && statement
            .conditions
            .iter()
            .all(|condition| condition.holds(&(facts.values)(condition.key())))
}

fn is(principal: &Principal, caller: &Caller) -> bool {
    match (principal, &caller.kind) {
        (Principal::Account(account), _) => *account == caller.account,
        (Principal::User(account, wanted), CallerKind::User { name, .. })
        | (Principal::Role(account, wanted), CallerKind::AssumedRole { name, .. }) => {
            *account == caller.account && wanted == name
        }
        _ => false,
    }
}
