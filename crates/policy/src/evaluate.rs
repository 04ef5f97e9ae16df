//! What policies say of a request.

use std::borrow::Cow;

use base::AccountId;

use crate::{Document, Effect, Principal, Statement};

/// What a policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows, and none denies.
    Allow,
    /// A statement denies.
    ExplicitDeny,
    /// No statement allows.
    ImplicitDeny,
}

/// Who asks, as policies see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker<'a> {
    /// The account it belongs to.
    pub account: AccountId,
    /// What it is there.
    pub party: Party<'a>,
}

/// What somebody is within an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party<'a> {
    /// Nobody who could be named: unsigned, or the cloud itself.
    Unnamed,
    /// The account itself.
    Root,
    /// A user.
    User {
        /// The id.
        id: &'a str,
        /// The name.
        name: &'a str,
    },
    /// A session of a role.
    Role {
        /// The role's id.
        id: &'a str,
        /// The role's name.
        name: &'a str,
    },
    /// A service of the cloud, acting for an account under the name that S3's policies know it by:
    /// `logging.s3.amazonaws.com`.
    Service(&'a str),
}

/// A request, as policies see it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The permission: `oss:PutObject`.
    pub action: &'a str,
    /// The resource's ARN.
    pub resource: &'a str,
    /// Who asks.
    pub asker: Asker<'a>,
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

/// Whether a statement is about the request.
pub(crate) fn applies(statement: &Statement, facts: &Facts<'_>) -> bool {
    let principals = &statement.principals;
    statement.actions.cover_action(facts.action)
        && statement
            .resources
            .as_ref()
            .is_none_or(|resources| resources.cover_resource(facts.resource))
        && (principals.is_empty() || principals.iter().any(|principal| is(principal, facts.asker)))
        && statement
            .conditions
            .iter()
            .all(|condition| condition.holds(&(facts.values)(condition.key())))
}

/// Whether a principal names who asks.
pub(crate) fn is(principal: &Principal, asker: Asker<'_>) -> bool {
    match (principal, asker.party) {
        (Principal::Account(account), _) => *account == asker.account,
        (Principal::User(account, wanted), Party::User { name, .. })
        | (Principal::Role(account, wanted), Party::Role { name, .. }) => {
            *account == asker.account && wanted == name
        }
        _ => false,
    }
}
