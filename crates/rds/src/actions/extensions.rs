//! Extensions of PostgreSQL in an instance's databases. Which there are is what nodes observed last; which there may be
//! is what the packages of the instance's build say.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, ApiError};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, accounts, ask, databases, expect, read, write};
use crate::engines::{Extension, refused_extension};
use crate::errors::{ACCOUNT_STATUS, IS_FOLLOWER, NO_EXTENSION};
use crate::machine::parts;
use crate::model::Status;
use crate::node::api::{ExtensionChange, ExtensionWish, InstalledExtension};
use crate::requests::forms::not_supported;
use crate::requests::within::{invalid, postgres};
use crate::tables::instance::Instance;
use crate::tables::{account, engine as builds, extension, member};

/// The most names in one list of a request.
const NAMES_MAX: usize = 100;

/// What a request asks of extensions.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExtensionsRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "DBNames")]
    databases: String,
    #[serde(default)]
    extensions: String,
    #[serde(default)]
    source_database: String,
    #[serde(default)]
    account_name: String,
}

/// What is known of the extensions of an instance.
struct Known {
    /// Those that a database may get, by name.
    offers: BTreeMap<String, Extension>,
    /// Those that databases have.
    installed: BTreeMap<String, Vec<InstalledExtension>>,
}

impl Known {
    fn of(cx: &mut Cx<'_>, instance: &Instance) -> Result<Self, ApiError> {
        let primary = member::of(cx.tx(), &instance.id)?.into_iter().next();
        let Some(primary) = primary else {
            return Ok(Self { offers: BTreeMap::new(), installed: BTreeMap::new() });
        };
        let build = builds::find(cx.tx(), &primary.site, instance.engine, &instance.major)?;
        let offers = build.map(|build| build.offers).unwrap_or_default();
        let offers = offers.into_iter().map(|offer| (offer.name.clone(), offer)).collect();
        Ok(Self { offers, installed: primary.observed.extensions })
    }

    fn has(&self, database: &str, name: &str) -> bool {
        let installed = self.installed.get(database);
        installed.is_some_and(|installed| installed.iter().any(|it| it.name == name))
    }

    /// Refuses an extension that no database may get, or that needs one that none may.
    fn check(&self, name: &str) -> Result<(), ApiError> {
        let mut open = vec![name];
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            let Some(offer) = self.offers.get(name) else {
                return Err(match refused_extension(name) {
                    // Its reasons are of names that are known here, so that nothing of the client's is repeated.
                    Some(why) => not_supported(format!("An extension that {why} is")),
                    None => NO_EXTENSION.error("No extension of that name is offered here."),
                });
            };
            if seen.insert(name) {
                open.extend(offer.requires.iter().map(String::as_str));
            }
        }
        Ok(())
    }
}

/// The names in a list with commas, each once.
fn names(parameter: &'static str, text: &str) -> Result<BTreeSet<String>, ApiError> {
    let names: BTreeSet<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.len() > NAMES_MAX || names.contains("") {
        let message = format!("{parameter} is 1 to {NAMES_MAX} names with commas between them.");
        return Err(invalid(parameter, message));
    }
    Ok(names)
}

/// The caller's own instance of PostgreSQL that runs and takes writes, and the databases of a request, which are there.
fn place(
    cx: &mut Cx<'_>,
    request: &ExtensionsRequest,
) -> Result<(Instance, BTreeSet<String>), ApiError> {
    let names = names("DBNames", &request.databases)?;
    let instance = postgres(cx, &request.instance)?;
    expect(&instance, &[Status::Running])?;
    if instance.is_read_only() {
        return Err(ApiError::new(&IS_FOLLOWER));
    }
    for name in &names {
        databases::find(cx, &instance.id, name)?;
    }
    Ok((instance, names))
}

/// Writes wishes down and has them carried out; none is nothing to do.
fn wish(
    cx: &mut Cx<'_>,
    instance: &mut Instance,
    wishes: &[ExtensionWish],
) -> Result<Done, ApiError> {
    if wishes.is_empty() {
        return Ok(Done {});
    }
    for wish in wishes {
        extension::wish(cx.tx(), &instance.id, wish)?;
    }
    let all = |of: fn(&ExtensionWish) -> &String| {
        let all: BTreeSet<&str> = wishes.iter().map(|wish| of(wish).as_str()).collect();
        all.into_iter().collect::<Vec<_>>().join(",")
    };
    cx.audit_detail("DBNames", all(|wish| &wish.database));
    cx.audit_detail("Extensions", all(|wish| &wish.name));
    ask(cx, instance, Status::Running)?;
    Ok(Done {})
}

/// Makes extensions in databases, those that are named or those that another database has. What they need comes with
/// them; what is there already stays as it is.
pub(super) struct CreatePostgresExtensions;

impl Action for CreatePostgresExtensions {
    const META: Meta = write("CreatePostgresExtensions").replay_by("ClientToken");
    type Request = ExtensionsRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ExtensionsRequest) -> Result<Done, ApiError> {
        let (mut instance, into) = place(cx, &request)?;
        let owner = accounts::find(cx, &instance.id, &request.account_name)?;
        if owner.status == account::Status::Unavailable {
            return Err(ACCOUNT_STATUS.error("The account is not there yet."));
        }
        if !owner.privileged {
            return Err(invalid("AccountName", "AccountName is an account of the type Super."));
        }
        let known = Known::of(cx, &instance)?;
        let wanted = match (request.extensions.as_str(), request.source_database.as_str()) {
            ("", "") => {
                return Err(invalid("Extensions", "Extensions or SourceDatabase is to be given."));
            }
            ("", source) => {
                databases::find(cx, &instance.id, source)?;
                let there = known.installed.get(source).into_iter().flatten();
                there.map(|it| it.name.clone()).collect()
            }
            (listed, _) => names("Extensions", listed)?,
        };
        let mut wishes = Vec::new();
        for name in &wanted {
            known.check(name)?;
            let without = into.iter().filter(|database| !known.has(database, name));
            wishes.extend(without.map(|database| ExtensionWish {
                database: database.clone(),
                name: name.clone(),
                account: owner.name.clone(),
                what: ExtensionChange::Create,
            }));
        }
        wish(cx, &mut instance, &wishes)
    }
}

/// What is asked of extensions that are there: each has to be in each of the databases.
fn change(
    cx: &mut Cx<'_>,
    request: &ExtensionsRequest,
    what: ExtensionChange,
) -> Result<Done, ApiError> {
    let (mut instance, within) = place(cx, request)?;
    let known = Known::of(cx, &instance)?;
    let mut wishes = Vec::new();
    for name in names("Extensions", &request.extensions)? {
        for database in &within {
            if !known.has(database, &name) {
                return Err(ApiError::new(&NO_EXTENSION));
            }
            let (database, name) = (database.clone(), name.clone());
            wishes.push(ExtensionWish { database, name, account: String::new(), what });
        }
    }
    wish(cx, &mut instance, &wishes)
}

/// Brings extensions to the version that a database would get now.
pub(super) struct UpdatePostgresExtensions;

impl Action for UpdatePostgresExtensions {
    const META: Meta = write("UpdatePostgresExtensions").replay_by("ClientToken");
    type Request = ExtensionsRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ExtensionsRequest) -> Result<Done, ApiError> {
        change(cx, &request, ExtensionChange::Update)
    }
}

/// Removes extensions from databases, unless something there needs them.
pub(super) struct DeletePostgresExtensions;

impl Action for DeletePostgresExtensions {
    const META: Meta = write("DeletePostgresExtensions").replay_by("ClientToken");
    type Request = ExtensionsRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ExtensionsRequest) -> Result<Done, ApiError> {
        change(cx, &request, ExtensionChange::Drop)
    }
}

/// Lists the extensions that a database has and those that it may get.
pub(super) struct DescribePostgresExtensions;

#[derive(Deserialize)]
pub(super) struct DescribePostgresExtensionsRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "DBName")]
    database: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribePostgresExtensionsResponse {
    installed_extensions: Vec<View>,
    uninstalled_extensions: Vec<View>,
    /// What the server refused last, by extension, in its own words.
    overview: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    name: String,
    category: &'static str,
    comment: String,
    default_version: String,
    installed_version: String,
    owner: String,
    priority: &'static str,
    requires: String,
    uid: String,
}

impl View {
    fn of(
        account: AccountId,
        offer: Option<&Extension>,
        there: Option<InstalledExtension>,
    ) -> Self {
        let offer = offer.cloned().unwrap_or_default();
        let (name, installed_version, owner) = match there {
            Some(there) => (there.name, there.version, there.owner),
            None => (offer.name, String::new(), String::new()),
        };
        Self {
            name,
            category: "",
            comment: offer.comment,
            default_version: offer.version,
            installed_version,
            owner,
            priority: "0",
            requires: offer.requires.join(","),
            uid: account.to_string(),
        }
    }
}

impl Action for DescribePostgresExtensions {
    const META: Meta = read("DescribePostgresExtensions");
    type Request = DescribePostgresExtensionsRequest;
    type Response = DescribePostgresExtensionsResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribePostgresExtensionsRequest,
    ) -> Result<DescribePostgresExtensionsResponse, ApiError> {
        let instance = postgres(cx, &request.instance)?;
        databases::find(cx, parts::source(&instance), &request.database)?;
        let mut known = Known::of(cx, &instance)?;
        let there = known.installed.remove(&request.database).unwrap_or_default();
        let mut installed_extensions = Vec::new();
        for one in there {
            let offer = known.offers.remove(&one.name);
            installed_extensions.push(View::of(instance.account, offer.as_ref(), Some(one)));
        }
        let others = known.offers.values();
        let uninstalled_extensions =
            others.map(|offer| View::of(instance.account, Some(offer), None)).collect();
        let refused = extension::refused(cx.tx(), &instance.id, &request.database)?;
        let overview = refused.into_iter().map(|one| (one.name, one.reason)).collect();
        Ok(DescribePostgresExtensionsResponse {
            installed_extensions,
            uninstalled_extensions,
            overview,
        })
    }
}
