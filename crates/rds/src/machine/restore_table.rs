//! Brings tables back: what the archive had of them, into other databases of the same instance.
//!
//! The archive is restored into a scratch member beside the instance; the tables are dumped from it and loaded into
//! their new database, all of one database in one transaction. Then the scratch member goes. A load may be repeated
//! after a crash: its tables were looked for and not there before the first load began, so that where they are there
//! now, it had been done.
//!
//! Not here: which wishes are allowed (`actions::restores`), and how a scratch member is made (`scratch`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{AccountId, ApiError, Time};
use engine::Cx;
use engine::task::{Machine, Next, Step, StepCx, StepError};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use store::Tx;
use tokio::task::JoinHandle;

use crate::backup::restore::From;
use crate::model::Origin;
use crate::node::api::Dump;
use crate::nodes::Nodes;
use crate::scratch::Scratch;
use crate::tables::{instance, job, member, text};

/// The kind of the task, as stored. Its id is that of the row with the wish, and the name of the scratch member.
pub(crate) const KIND: &str = "rds.restore_table";
/// What it begins with, as stored.
pub(crate) const BEGIN: &str = "\"Begin\"";

/// How soon is asked again how far it is.
const SOON: Duration = Duration::from_millis(200);
/// A node that is away is asked so many times more, so long after each other.
const ASKED_MAX: u32 = 30;
const AGAIN: Duration = Duration::from_secs(2);

/// What is wished, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// From when: always [`Origin::Archive`].
    pub(crate) origin: Origin,
    /// What.
    pub(crate) databases: Vec<WishedDatabase>,
    /// Why it came to nothing, for its owner; empty where it did not.
    #[serde(default)]
    pub(crate) failed: String,
}

/// Tables of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WishedDatabase {
    /// Where they were.
    pub(crate) name: String,
    /// Where they are to be.
    #[serde(alias = "newname")]
    pub(crate) new_name: String,
    /// Which.
    pub(crate) tables: Vec<WishedTable>,
}

impl WishedDatabase {
    /// The same tables in a database, as a node is asked for them.
    fn dump_of(&self, database: &str) -> Dump {
        let tables = self.tables.iter().map(|table| (table.name.clone(), table.new_name.clone()));
        Dump { database: database.to_owned(), tables: tables.collect() }
    }

    /// As [`Self::dump_of`] for each table by itself.
    fn dumps_of(&self, database: &str) -> impl Iterator<Item = Dump> {
        let whole = self.dump_of(database);
        whole
            .tables
            .into_iter()
            .map(move |table| Dump { database: whole.database.clone(), tables: vec![table] })
    }
}

/// A table: `table`, or `schema.table`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WishedTable {
    /// Its name then.
    pub(crate) name: String,
    /// Its name when it is back: the same.
    #[serde(alias = "newname")]
    pub(crate) new_name: String,
}

/// Where such a task can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Looks where the scratch member is to be.
    Begin,
    /// Is at a part of the work.
    Work {
        /// The data centre of the scratch member: the instance may move meanwhile.
        site: String,
        /// At which.
        part: Part,
    },
    /// The scratch member goes, and it ends.
    End {
        /// As before.
        site: String,
        /// Why it came to nothing; empty where it did not.
        failed: String,
    },
}

/// A part of the work. Numbers are those of databases of the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The archive is restored into the scratch member.
    Restore,
    /// Whether the names are free there.
    Free(usize),
    /// Tables come in.
    Load(usize),
}

impl Part {
    /// What follows, of a wish of so many databases.
    fn next(self, databases: usize) -> Option<Self> {
        match self {
            Self::Restore => Some(Self::Free(0)),
            Self::Free(n) if n + 1 < databases => Some(Self::Free(n + 1)),
            Self::Free(_) => Some(Self::Load(0)),
            Self::Load(n) => (n + 1 < databases).then_some(Self::Load(n + 1)),
        }
    }
}

/// Why it came to nothing, for its owner.
type Reason = &'static str;

/// The machine of all such tasks.
pub(crate) struct RestoreTables {
    scratch: Arc<Scratch>,
    /// The parts that this process is at, by task.
    works: Mutex<HashMap<String, JoinHandle<Result<(), Reason>>>>,
}

/// A wish with what it takes to fulfil it.
#[derive(Clone)]
struct Loaded {
    instance: String,
    account: AccountId,
    region: String,
    /// Where the primary is now.
    site: String,
    wish: Wish,
}

impl RestoreTables {
    /// With what makes the scratch members.
    pub(crate) fn new(scratch: Arc<Scratch>) -> Self {
        Self { scratch, works: Mutex::default() }
    }

    /// Begins a part of the work where this process is not at it, and says what came of it; `None` while it lasts.
    async fn poll(
        &self,
        id: &str,
        work: impl Future<Output = Result<(), Reason>> + Send + 'static,
    ) -> Option<Result<(), Reason>> {
        let done = {
            let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
            match works.remove(id) {
                Some(work) if work.is_finished() => work,
                running => {
                    works.insert(id.to_owned(), running.unwrap_or_else(|| tokio::spawn(work)));
                    return None;
                }
            }
        };
        Some(done.await.unwrap_or_else(|panic| {
            tracing::error!(id, %panic, "a part of bringing tables back");
            Err("InternalError")
        }))
    }

    /// The scratch member goes; then whatever is to be written is, and the task ends.
    async fn end(
        &self,
        cx: &StepCx,
        site: &str,
        mut commit: impl FnMut(&mut Cx<'_>) -> Result<(), ApiError> + Send + 'static,
    ) -> Result<Step<State>, StepError> {
        let work = self.works.lock().unwrap_or_else(PoisonError::into_inner).remove(&cx.id);
        if let Some(work) = work {
            work.abort();
        }
        self.scratch.remove(site, &cx.id).await?;
        Ok(Next::Done.with(move |cx| commit(cx)))
    }
}

impl Machine for RestoreTables {
    const KIND: &'static str = KIND;
    const CONCURRENCY: usize = 4;
    type State = State;

    async fn step(&self, cx: &StepCx, state: State) -> Result<Step<State>, StepError> {
        let id = cx.id.clone();
        let loaded = cx.cloud.db.read(move |tx| load(tx, &id)).await?;
        match (state, loaded) {
            (State::Begin, None) => Ok(Next::Done.into()),
            (State::Begin, Some(loaded)) => {
                Ok(Next::Go(State::Work { site: loaded.site, part: Part::Restore }).into())
            }
            // The instance is gone, and the wish with it.
            (State::Work { site, .. } | State::End { site, .. }, None) => {
                self.end(cx, &site, |_| Ok(())).await
            }
            (State::Work { site, part }, Some(loaded)) => {
                let count = loaded.wish.databases.len();
                let scratch = Arc::clone(&self.scratch);
                let work = work(scratch, cx.id.clone(), (site.clone(), part), loaded);
                let failed = match self.poll(&cx.id, work).await {
                    None => return Ok(Next::Wait(SOON).into()),
                    Some(Ok(())) => match part.next(count) {
                        Some(part) => return Ok(Next::Go(State::Work { site, part }).into()),
                        None => String::new(),
                    },
                    Some(Err(reason)) => reason.to_owned(),
                };
                Ok(Next::Go(State::End { site, failed }).into())
            }
            (State::End { site, failed }, Some(loaded)) => {
                let id = cx.id.clone();
                self.end(cx, &site, move |cx| finish(cx, &id, &loaded, &failed)).await
            }
        }
    }
}

/// Reads a wish; `None` where its instance is gone.
fn load(tx: &mut Tx<'_>, id: &str) -> Result<Option<Loaded>, ApiError> {
    let Some(job) = job::find(tx, id)? else { return Ok(None) };
    let Some(instance) = instance::find(tx, &job.instance)? else { return Ok(None) };
    let primary = member::of(tx, &instance.id)?.into_iter().find(|member| member.primary);
    let Some(primary) = primary else { return Ok(None) };
    let wish = serde_json::from_str(&job.wish).map_err(ApiError::internal)?;
    Ok(Some(Loaded {
        instance: instance.id,
        account: instance.account,
        region: instance.region,
        site: primary.site,
        wish,
    }))
}

/// Does one part; it may take long.
async fn work(
    scratch: Arc<Scratch>,
    id: String,
    (site, part): (String, Part),
    loaded: Loaded,
) -> Result<(), Reason> {
    let said = |reason: Reason| {
        let (id, instance) = (id.clone(), loaded.instance.clone());
        move |error: String| {
            tracing::error!(id, instance, error, reason, "tables do not come back");
            reason
        }
    };
    match part {
        Part::Restore => restore(&scratch, &id, &site, &loaded)
            .await
            .map_err(said("The archive could not be restored to that point.")),
        Part::Free(n) => match is_free(&scratch, &loaded, n).await.map_err(said(UNKNOWN))? {
            true => Ok(()),
            false => Err("A table of that name is in the database already."),
        },
        // The load before a crash was the whole of it: all names were free before.
        Part::Load(n) if is_loaded(&scratch, &loaded, n).await.map_err(said(UNKNOWN))? => Ok(()),
        Part::Load(n) => {
            let then = was_there(&scratch, &id, (&site, &loaded), n).await;
            if !then.map_err(said("The archive could not be restored to that point."))? {
                return Err("A table was not there then.");
            }
            bring(&scratch, &id, &site, &loaded, n)
                .await
                .map_err(said("The tables need something that is not in the database."))
        }
    }
}

const UNKNOWN: Reason = "The instance could not be looked at.";

/// The scratch member of a task, and what is restored into it.
async fn place(
    scratch: &Scratch,
    id: &str,
    site: &str,
    loaded: &Loaded,
) -> Result<(crate::scratch::Member, From), String> {
    let Origin::Archive { instance, backup, until } = &loaded.wish.origin else {
        return Err("the wish is for no point of the archive".to_owned());
    };
    let beside = scratch.beside(&loaded.instance, id.to_owned()).await;
    let mut member = beside.map_err(|error| format!("{error:?}"))?;
    site.clone_into(&mut member.site);
    let from = From {
        instance: instance.clone(),
        backup: backup.clone(),
        until: until.map(Time::from_micros),
    };
    Ok((member, from))
}

async fn restore(scratch: &Scratch, id: &str, site: &str, loaded: &Loaded) -> Result<(), String> {
    let (member, from) = place(scratch, id, site, loaded).await?;
    scratch.restore(&member, &from).await.map_err(|error| format!("{error:?}"))
}

/// Whether all that a dump names is there: then the dump begins, else it breaks at once.
async fn exists(nodes: &Nodes, (site, id): (&str, &str), what: &Dump) -> Result<bool, String> {
    let mut asked = 0;
    let mut dump = loop {
        match nodes.dump(site, id, what).await {
            Ok(dump) => break dump,
            // That a node is away for a moment says nothing about tables.
            Err(error) if asked == ASKED_MAX => return Err(error.to_string()),
            Err(_) => asked += 1,
        }
        tokio::time::sleep(AGAIN).await;
    };
    Ok(matches!(dump.frame().await, Some(Ok(_))))
}

/// Whether no table of a database of the wish is in the instance.
async fn is_free(scratch: &Scratch, loaded: &Loaded, n: usize) -> Result<bool, String> {
    let Some(wished) = loaded.wish.databases.get(n) else { return Ok(true) };
    let at = (loaded.site.as_str(), loaded.instance.as_str());
    for table in wished.dumps_of(&wished.new_name) {
        if exists(&scratch.nodes, at, &table).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether all of them are.
async fn is_loaded(scratch: &Scratch, loaded: &Loaded, n: usize) -> Result<bool, String> {
    let Some(wished) = loaded.wish.databases.get(n) else { return Ok(true) };
    let at = (loaded.site.as_str(), loaded.instance.as_str());
    exists(&scratch.nodes, at, &wished.dump_of(&wished.new_name)).await
}

/// Whether all of them were there at the moment: they are in the scratch member.
async fn was_there(
    scratch: &Scratch,
    id: &str,
    (site, loaded): (&str, &Loaded),
    n: usize,
) -> Result<bool, String> {
    let Some(wished) = loaded.wish.databases.get(n) else { return Ok(true) };
    let (member, from) = place(scratch, id, site, loaded).await?;
    scratch.serve(&member, &from).await.map_err(|error| format!("{error:?}"))?;
    let at = (member.site.as_str(), member.name.as_str());
    exists(&scratch.nodes, at, &wished.dump_of(&wished.name)).await
}

/// Loads the tables of one database.
async fn bring(
    scratch: &Scratch,
    id: &str,
    site: &str,
    loaded: &Loaded,
    n: usize,
) -> Result<(), String> {
    let Some(wished) = loaded.wish.databases.get(n) else { return Ok(()) };
    let (member, _) = place(scratch, id, site, loaded).await?;
    let what = wished.dump_of(&wished.name);
    let dump = scratch.nodes.dump(&member.site, &member.name, &what).await;
    let dump = dump.map_err(|error| error.to_string())?;
    let loading = scratch.nodes.load(&loaded.site, &loaded.instance, &wished.new_name, dump);
    loading.await.map_err(|error| error.to_string())
}

/// Writes down what came of it.
fn finish(cx: &mut Cx<'_>, id: &str, loaded: &Loaded, failed: &str) -> Result<(), ApiError> {
    let status = if failed.is_empty() { "Success" } else { "Failed" };
    let (region, account, instance) = (&loaded.region, loaded.account, &loaded.instance);
    cx.audit_resource(format!("acs:rds:{region}:{account}:dbinstance/{instance}"));
    cx.audit_account(account);
    cx.audit_detail("Job", id);
    cx.audit_detail("Status", status);
    if !failed.is_empty() {
        cx.audit_detail("Reason", failed);
    }
    let wish = Wish { failed: failed.to_owned(), ..loaded.wish.clone() };
    job::end(cx.tx(), id, status, &text(&wish)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_loaded_before_all_names_were_found_free() {
        let mut parts = vec![Part::Restore];
        while let Some(next) = parts.last().and_then(|part| part.next(2)) {
            parts.push(next);
        }
        let wanted = [Part::Restore, Part::Free(0), Part::Free(1), Part::Load(0), Part::Load(1)];
        assert_eq!(parts, wanted);
    }
}
