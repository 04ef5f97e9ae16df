//! The witnesses of a log: asks those of a policy for their cosignatures of a checkpoint, in parallel,
//! until there are enough. What they are asked over is a [`Witnesses`]; here are the protocol's client
//! (c2sp.org/tlog-witness), and the patience with those that do not answer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Time};
use tlog::note::{Note, Signature};
use tlog::policy::{Policy, Unmet};
use tlog::witness::{Reply, Request, cosignature};
use tlog::{Directory, Reader, Verifier};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Once there are enough, how long the others may still come in: their cosignatures serve readers whose
/// policy is stricter.
const GRACE: Duration = Duration::from_millis(100);
/// The first wait after a witness failed; it doubles each time.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest wait between two tries of a witness that fails.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Requests in one try: one to learn at which size a witness is, one that begins there.
const REQUESTS_MAX: usize = 2;

/// Carries requests to witnesses, over HTTP in the program and by hand in tests.
pub trait Witnesses: Send + Sync + 'static {
    /// Posts `body` to `<url>/add-checkpoint` and returns the status and the body of the answer. It
    /// blocks, and no longer than a few seconds.
    ///
    /// # Errors
    /// Why no answer came, in words for the operator's log.
    fn add_checkpoint(&self, url: &str, body: &str) -> Result<(u16, Vec<u8>), String>;
}

/// What is known of one witness since the program began.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// Entries of the checkpoint that it cosigned last; a wrong guess costs one request.
    size: u64,
    failures: u32,
    /// Not before this, after failures.
    again: Time,
    /// A request of an earlier turn is still under way.
    busy: bool,
}

/// The witnesses of a policy.
pub(super) struct Cosigners {
    policy: Policy,
    carrier: Arc<dyn Witnesses>,
    /// One for each witness of the policy, in its order.
    standings: Mutex<Vec<Standing>>,
    dir: PathBuf,
    log: Verifier,
}

impl Cosigners {
    /// Those of `policy` that have an address, for the log in `dir`.
    ///
    /// # Errors
    /// Where they can never be enough, or the policy is about other logs.
    pub(super) fn new(
        policy: Policy,
        carrier: Arc<dyn Witnesses>,
        dir: PathBuf,
        log: &Verifier,
    ) -> Result<Arc<Self>, String> {
        if !policy.logs().is_empty() && !policy.logs().iter().any(|known| known.key == *log) {
            return Err(format!("the policy does not list this log: log {log}"));
        }
        policy
            .met_by(|witness| witness.url.is_some())
            .map_err(|unmet| format!("{unmet}, of which the policy says no address"))?;
        let standings = Mutex::new(vec![Standing::default(); policy.witnesses().len()]);
        Ok(Arc::new(Self { policy, carrier, standings, dir, log: log.clone() }))
    }

    /// The note with the cosignatures that it has got now, its own ones included, and who is still
    /// missing if they are not enough.
    pub(super) async fn gather(
        self: &Arc<Self>,
        mut note: Note,
        clock: &Arc<dyn Clock>,
    ) -> (Note, Result<usize, Unmet>) {
        let mut coming = self.ask_all(&note, clock);
        let mut last = None;
        let mut met = self.met(&note);
        loop {
            if met.is_ok() && last.is_none() {
                last = Some(Instant::now() + GRACE);
            }
            let next = match last {
                Some(last) => timeout_at(last, coming.recv()).await.unwrap_or(None),
                None => coming.recv().await,
            };
            let Some(signature) = next else { return (note, met) };
            note = note.with_signatures([signature]);
            met = self.met(&note);
        }
    }

    /// How many witnesses cosigned the note, where they are enough.
    fn met(&self, note: &Note) -> Result<usize, Unmet> {
        let cosigned = |key: &tlog::CosignerKey| key.verify(note).is_ok_and(|time| time.is_some());
        self.policy.met_by(|witness| cosigned(&witness.key))?;
        Ok(self.policy.witnesses().iter().filter(|witness| cosigned(&witness.key)).count())
    }

    /// Asks every witness that has not cosigned yet, is not busy and may be asked again. What each
    /// answers comes out of the channel, which ends with the last of them.
    fn ask_all(
        self: &Arc<Self>,
        note: &Note,
        clock: &Arc<dyn Clock>,
    ) -> mpsc::UnboundedReceiver<Signature> {
        let (answers, coming) = mpsc::unbounded_channel();
        let now = clock.now();
        for (at, witness) in self.policy.witnesses().iter().enumerate() {
            let Some(url) = witness.url.clone() else { continue };
            let cosigned = witness.key.verify(note).is_ok_and(|time| time.is_some());
            if cosigned || !self.claim(at, now) {
                continue;
            }
            let (this, note, answers) = (Arc::clone(self), note.clone(), answers.clone());
            let clock = Arc::clone(clock);
            // Whoever gathers may have gone on before this one answers: what was learnt is kept anyway.
            tokio::spawn(async move {
                let (asked, held) = (Arc::clone(&this), this.standing(at).size);
                let ask = move || asked.ask(at, &url, &note, held);
                let asked = tokio::task::spawn_blocking(ask).await;
                let (size, outcome) =
                    asked.unwrap_or_else(|panic| (held, Err(format!("asking it failed: {panic}"))));
                this.settle(at, size, outcome.as_ref().err(), clock.now());
                if let Ok(signature) = outcome {
                    let _ = answers.send(signature);
                }
            });
        }
        coming
    }

    /// One try of one witness that is thought to hold a size: the size that it holds then, and its
    /// verified cosignature of the note.
    fn ask(
        &self,
        at: usize,
        url: &str,
        note: &Note,
        held: u64,
    ) -> (u64, Result<Signature, String>) {
        let files = Directory::new(&self.dir);
        let reader = match Reader::at(files, note.clone(), &self.log) {
            Ok(reader) => reader,
            Err(error) => return (held, Err(error.to_string())),
        };
        let new = reader.checkpoint().size;
        let mut old = held.min(new);
        for _ in 0..REQUESTS_MAX {
            match self.request(url, &reader, old) {
                Ok(Reply::Cosigned(signatures)) => {
                    let key = &self.policy.witnesses()[at].key;
                    let found = cosignature(note, &signatures, key);
                    let none = || "its answer holds no cosignature by its key".to_owned();
                    return (new, found.ok_or_else(none));
                }
                Ok(Reply::At(size)) if size > new => {
                    let why = format!(
                        "it cosigned {size} entries and the log has {new}: is the database older than its log?"
                    );
                    return (old, Err(why));
                }
                Ok(Reply::At(size)) => old = size,
                Ok(Reply::Refused { status, what }) => {
                    return (old, Err(format!("HTTP {status}: {what}")));
                }
                Err(why) => return (old, Err(why)),
            }
        }
        (old, Err("its size changed while it was asked".to_owned()))
    }

    fn request(&self, url: &str, reader: &Reader<Directory>, old: u64) -> Result<Reply, String> {
        let proof = reader.consistency(old, reader.checkpoint().size);
        let proof = proof.map_err(|error| error.to_string())?;
        let body = Request { old, proof, note: reader.note().clone() }.to_string();
        let (status, answer) = self.carrier.add_checkpoint(url, &body)?;
        Reply::parse(status, &answer).map_err(|error| error.to_string())
    }

    fn standing(&self, at: usize) -> Standing {
        self.standings.lock().expect("nothing panics while it holds this lock")[at].clone()
    }

    /// Takes a witness for a try, unless it is being asked already or its time has not come.
    fn claim(&self, at: usize, now: Time) -> bool {
        let mut all = self.standings.lock().expect("nothing panics while it holds this lock");
        let free = !all[at].busy && all[at].again <= now;
        all[at].busy |= free;
        free
    }

    fn settle(&self, at: usize, size: u64, failure: Option<&String>, now: Time) {
        let name = &self.policy.witnesses()[at].name;
        let mut all = self.standings.lock().expect("nothing panics while it holds this lock");
        let standing = &mut all[at];
        standing.busy = false;
        standing.size = size;
        match failure {
            None => {
                if standing.failures > 0 {
                    tracing::info!(witness = name, "a witness cosigns again");
                }
                standing.failures = 0;
            }
            Some(reason) => {
                if standing.failures == 0 {
                    tracing::warn!(
                        witness = name,
                        reason,
                        "a witness did not cosign; it is asked again"
                    );
                }
                let wait = BACKOFF_MIN * 2_u32.saturating_pow(standing.failures.min(10));
                standing.again = now.plus(wait.min(BACKOFF_MAX));
                standing.failures += 1;
            }
        }
    }
}
