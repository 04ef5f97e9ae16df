//! A small product to drive the path with: notes, kept by name.

use base::{ApiError, Code};
use engine::{Action, Cx, Entry, Meta, action};
use serde::{Deserialize, Serialize};
use store::{MigrationSet, params};

pub const VERSION: &str = "2030-01-01";
pub const TAKEN: Code = Code::new("EntityAlreadyExists.Note", 409, "The note exists already.");

pub const GONE: Code = Code::new("EntityNotExist.Note", 404, "The note does not exist.");

pub const TABLES: MigrationSet = MigrationSet {
    name: "sample",
    steps: &["CREATE TABLE note (name TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL);"],
};

pub static ACTIONS: &[Entry] = &[
    action::<GetNote>(),
    action::<CreateNote>(),
    action::<CountNotes>(),
    action::<Careless>(),
    action::<WhoAmI>(),
    action::<Panics>(),
];

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Note {
    pub name: String,
    #[serde(default)]
    pub size: i64,
    #[serde(default)]
    pub labels: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    pub note_id: String,
}

pub struct CreateNote;

impl Action for CreateNote {
    const META: Meta =
        Meta::write("sample", VERSION, "CreateNote").replay_by("ClientToken").dry_run();
    type Request = Note;
    type Response = Created;

    fn run(cx: &mut Cx<'_>, note: Note) -> Result<Created, ApiError> {
        let account = cx.account();
        cx.authorize(&format!("acs:sample:*:{account}:note/{}", note.name))?;
        let sql = "INSERT INTO note (name, size) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
        if cx.tx().execute(sql, params![&note.name, note.size])? == 0 {
            return Err(TAKEN.into());
        }
        cx.audit_detail("size", note.size.to_string());
        cx.audit_detail("labels", note.labels.join(" "));
        cx.count(account, "notes", "sample.requests", 1);
        cx.level(account, "notes", "sample.stored", note.size);
        Ok(Created { note_id: cx.rng().alphanumeric(12) })
    }
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Named {
    pub name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub size: i64,
}

/// A ROA action: its name is in the path, and clients need not send the action's.
pub struct GetNote;

impl Action for GetNote {
    const META: Meta = Meta::read("sample", VERSION, "GetNote").roa("GET", "/api/v1/notes/{Name}");
    type Request = Named;
    type Response = Found;

    fn run(cx: &mut Cx<'_>, note: Named) -> Result<Found, ApiError> {
        cx.authorize(&format!("acs:sample:*:*:note/{}", note.name))?;
        let sql = "SELECT size FROM note WHERE name = ?1";
        let size = cx.tx().query_opt(sql, params![&note.name], |row| row.get(0))?;
        Ok(Found { size: size.ok_or(ApiError::new(&GONE))? })
    }
}

#[derive(Clone, Deserialize)]
pub struct Nothing {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Count {
    pub count: i64,
}

pub struct CountNotes;

impl Action for CountNotes {
    const META: Meta = Meta::read("sample", VERSION, "CountNotes");
    type Request = Nothing;
    type Response = Count;

    fn run(cx: &mut Cx<'_>, _: Nothing) -> Result<Count, ApiError> {
        cx.authorize("acs:sample:*:*:note/*")?;
        let count = cx
            .tx()
            .query_opt("SELECT CAST(COUNT(*) AS BIGINT) FROM note", &[], |row| row.get(0))?;
        Ok(Count { count: count.unwrap_or(0) })
    }
}

/// Writes without asking the policy: must not be committed.
pub struct Careless;

impl Action for Careless {
    const META: Meta = Meta::write("sample", VERSION, "Careless");
    type Request = Nothing;
    type Response = Count;

    fn run(cx: &mut Cx<'_>, _: Nothing) -> Result<Count, ApiError> {
        cx.tx().execute("INSERT INTO note (name, size) VALUES ('careless', 0)", &[])?;
        Ok(Count { count: 1 })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Me {
    pub arn: String,
}

pub struct WhoAmI;

impl Action for WhoAmI {
    const META: Meta = Meta::read("sample", VERSION, "WhoAmI").public();
    type Request = Nothing;
    type Response = Me;

    fn run(cx: &mut Cx<'_>, _: Nothing) -> Result<Me, ApiError> {
        Ok(Me { arn: cx.caller.arn() })
    }
}

pub struct Panics;

impl Action for Panics {
    const META: Meta = Meta::write("sample", VERSION, "Panics");
    type Request = Nothing;
    type Response = Count;

    fn run(cx: &mut Cx<'_>, _: Nothing) -> Result<Count, ApiError> {
        cx.authorize("acs:sample:*:*:note/*")?;
        panic!("a mistake in a handler");
    }
}
