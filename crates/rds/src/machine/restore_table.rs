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
use crate::scratch::Scratch;
use crate::tables::{instance, job, member};

/// The kind of the task, as stored. Its id is that of the row with the wish, and the name of the scratch member.
pub(crate) const KIND: &str = "rds.restore_table";
/// What it begins with, as stored.
pub(crate) const BEGIN: &str = "\"Begin\"";

/// How soon is asked again how far it is.
const SOON: Duration = Duration::from_millis(200);

/// What is wished, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// From when: always [`Origin::Archive`].
    pub(crate) origin: Origin,
    /// What.
    pub(crate) databases: Vec<WishedDatabase>,
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
        Part::Free(n) if is_there(&scratch, &loaded, n).await => {
            Err("A table of that name is in the database already.")
        }
        Part::Free(_) => Ok(()),
        Part::Load(n) if is_there(&scratch, &loaded, n).await => Ok(()),
        Part::Load(n) => bring(&scratch, &id, &site, &loaded, n).await.map_err(said(
            "The tables were not there then, or need something that is not in the database.",
        )),
    }
}

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

/// Whether all tables are where they are to be: then the dump of them begins, else it breaks at once.
async fn is_there(scratch: &Scratch, loaded: &Loaded, n: usize) -> bool {
    let Some(wished) = loaded.wish.databases.get(n) else { return false };
    let what = wished.dump_of(&wished.new_name);
    match scratch.nodes.dump(&loaded.site, &loaded.instance, &what).await {
        Ok(mut dump) => matches!(dump.frame().await, Some(Ok(_))),
        Err(_) => false,
    }
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
    let (member, from) = place(scratch, id, site, loaded).await?;
    scratch.serve(&member, &from).await.map_err(|error| format!("{error:?}"))?;
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
    job::end(cx.tx(), id, status)
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
