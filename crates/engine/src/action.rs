//! What an action is: a type with a request, a response, and one synchronous function.

use std::collections::HashMap;

use base::{ApiError, Code, code};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::params::Params;

use crate::Cx;

/// Whether an action changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Runs on a snapshot; leaves no audit entry.
    Read,
    /// Runs in a write transaction; effect, audit, usage and work are one commit.
    Write,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The handler must ask the policy; a handler that did not is refused its commit.
    Authorized,
    /// Any signed caller, as for `GetCallerIdentity`.
    Public,
    /// Anybody, unsigned: the two `AssumeRoleWith…` actions, whose proof is in their parameters.
    Anonymous,
}

/// An action's fixed facts.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// The product's lower-case code, the first half of permission names: `ram`.
    pub product: &'static str,
    /// The API version date: `2015-05-01`.
    pub version: &'static str,
    /// The action's name, as the API spells it.
    pub name: &'static str,
    /// Read or write.
    pub kind: Kind,
    /// Who may call.
    pub access: Access,
    /// The parameter that makes repeats harmless, usually `ClientToken`.
    pub replay_by: Option<&'static str>,
    /// Whether `DryRun=true` is understood.
    pub dry_run: bool,
    /// Method and path pattern (`/api/v1/projects/{p}`) of a ROA action.
    pub route: Option<(&'static str, &'static str)>,
    /// The code with which this product refuses what a policy does not allow.
    pub denial: &'static Code,
}

impl Meta {
    /// An action that only reads.
    pub const fn read(product: &'static str, version: &'static str, name: &'static str) -> Self {
        Self::new(product, version, name, Kind::Read)
    }

    /// An action that changes something.
    pub const fn write(product: &'static str, version: &'static str, name: &'static str) -> Self {
        Self::new(product, version, name, Kind::Write)
    }

    const fn new(
        product: &'static str,
        version: &'static str,
        name: &'static str,
        kind: Kind,
    ) -> Self {
        let denial = &code::NO_PERMISSION;
        let access = Access::Authorized;
        Self {
            product,
            version,
            name,
            kind,
            access,
            replay_by: None,
            dry_run: false,
            route: None,
            denial,
        }
    }

    /// Any signed caller may call.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Anybody may call, unsigned.
    #[must_use]
    pub const fn anonymous(mut self) -> Self {
        self.access = Access::Anonymous;
        self
    }

    /// A repeat with the same value of `parameter` gets the first answer again.
    #[must_use]
    pub const fn replay_by(mut self, parameter: &'static str) -> Self {
        self.replay_by = Some(parameter);
        self
    }

    /// `DryRun=true` runs the action and rolls it back.
    #[must_use]
    pub const fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// A ROA action: found by method and path where the request names no action.
    #[must_use]
    pub const fn roa(mut self, method: &'static str, path: &'static str) -> Self {
        self.route = Some((method, path));
        self
    }

    /// The code for a denial where it is not `NoPermission`.
    #[must_use]
    pub const fn denied_as(mut self, denial: &'static Code) -> Self {
        self.denial = denial;
        self
    }

    /// The permission's name: `ram:CreateUser`.
    pub fn permission(&self) -> String {
        format!("{}:{}", self.product, self.name)
    }
}

/// One API action.
pub trait Action {
    /// Its fixed facts.
    const META: Meta;
    /// Its parameters, decoded from the flat form.
    type Request: DeserializeOwned;
    /// Its answer; the request id is added on the way out.
    type Response: Serialize;

    /// Decides. Synchronous, inside one transaction, and perhaps more than once: no effect but
    /// through `cx`.
    fn run(cx: &mut Cx<'_>, request: Self::Request) -> Result<Self::Response, ApiError>;
}

/// An action with its types erased: a line of a product's table.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The action's fixed facts.
    pub meta: Meta,
    pub(crate) run: fn(&mut Cx<'_>, &Params) -> Result<serde_json::Value, ApiError>,
}

/// Makes the table line of an action: `action::<CreateUser>()`.
pub const fn action<A: Action>() -> Entry {
    Entry { meta: A::META, run: run::<A> }
}

fn run<A: Action>(cx: &mut Cx<'_>, params: &Params) -> Result<serde_json::Value, ApiError> {
    let response = A::run(cx, params.decode()?)?;
    serde_json::to_value(response)
        .map_err(|error| ApiError::internal(format!("encode answer: {error}")))
}

/// All actions of the program, found by version and name or by route.
pub struct Registry {
    by_name: HashMap<String, Entry>,
    routed: Vec<Entry>,
    entries: Vec<Entry>,
}

impl Registry {
    /// Joins the products' tables.
    ///
    /// # Panics
    /// Where two actions share version and name: that is a mistake in the program.
    pub fn new(tables: &[&[Entry]]) -> Self {
        let entries: Vec<Entry> = tables.concat();
        let mut by_name = HashMap::new();
        for entry in &entries {
            let name = key(entry.meta.version, entry.meta.name);
            let before = by_name.insert(name, *entry);
            assert!(
                before.is_none(),
                "two actions are called {} {}",
                entry.meta.version,
                entry.meta.name
            );
        }
        let routed = entries.iter().filter(|entry| entry.meta.route.is_some()).copied().collect();
        Self { by_name, routed, entries }
    }

    /// Every action, in the order of the tables.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Finds an action by version and name; clients differ in the case of names (`UnTagResources`).
    pub fn by_name(&self, version: &str, name: &str) -> Option<Entry> {
        self.by_name.get(&key(version, name)).copied()
    }

    /// Finds a ROA action by method and path; also the path parameters, decoded.
    pub fn by_route(
        &self,
        version: &str,
        method: &str,
        path: &str,
    ) -> Option<(Entry, Vec<(String, String)>)> {
        self.routed.iter().filter(|entry| entry.meta.version == version).find_map(|entry| {
            let (wanted, pattern) = entry.meta.route?;
            (wanted == method)
                .then(|| match_path(pattern, path))
                .flatten()
                .map(|found| (*entry, found))
        })
    }

    /// The products, each once, in order.
    pub fn products(&self) -> Vec<&'static str> {
        let mut products: Vec<_> = self.entries.iter().map(|entry| entry.meta.product).collect();
        products.sort_unstable();
        products.dedup();
        products
    }
}

/// Clients differ in the case of action names.
fn key(version: &str, name: &str) -> String {
    format!("{version}/{}", name.to_ascii_lowercase())
}

fn match_path(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut given = path.split('/');
    let mut found = Vec::new();
    for wanted in pattern.split('/') {
        let part = given.next()?;
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => {
                let value = String::from_utf8(base::text::percent_decode(part, false)).ok()?;
                found.push((name.to_owned(), value));
            }
            None if wanted == part => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_pattern_gives_its_parameters_decoded() {
        let found = super::match_path("/api/v1/projects/{p}", "/api/v1/projects/my%20p%2F%C3%BC");
        assert_eq!(found, Some(vec![("p".to_owned(), "my p/ü".to_owned())]));
        assert_eq!(super::match_path("/a/{p}", "/a"), None);
        assert_eq!(super::match_path("/a/{p}", "/a/b/c"), None);
    }
}
