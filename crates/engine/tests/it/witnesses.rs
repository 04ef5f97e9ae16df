//! The log and its witnesses: nothing is published that too few of them have seen.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Secret, Time};
use engine::pipeline::act;
use engine::sequencer::{Sequencer, Witnesses};
use engine::task::Runner;
use testkit::{TestCloud, root};
use tlog::witness::State;
use tlog::{Cosigner, Directory, Note, Policy, Reader, Signer, Verifier, Witness};
use tokio::sync::watch;

use crate::path::cloud;
use crate::sample::{CreateNote, Note as Sample};

#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Note>>);

impl State for Memory {
    fn exchange(
        &self,
        origin: &str,
        next: &mut dyn FnMut(Option<&Note>) -> Option<Note>,
    ) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap();
        if let Some(note) = next(kept.get(origin)) {
            kept.insert(origin.to_owned(), note);
        }
        Ok(())
    }
}

fn cosigner(seed: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness-{seed}.example"), Secret::new([seed; 32])).unwrap()
}

/// Three real witnesses within reach of a hand: each may be taken away, and what each was asked is
/// noted.
struct Hands {
    witnesses: Vec<Witness<Memory>>,
    down: Mutex<Vec<String>>,
    slow: Mutex<Option<(String, Arc<std::sync::Barrier>)>>,
    asked: Mutex<Vec<(String, u16)>>,
}

impl Hands {
    fn of(log: &Verifier) -> Arc<Self> {
        let witness = |seed| Witness::new(cosigner(seed), vec![log.clone()], Memory::default());
        Arc::new(Self {
            witnesses: (1..=3).map(witness).collect(),
            down: Mutex::default(),
            slow: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    fn take_down(&self, names: &[&str]) {
        *self.down.lock().unwrap() = names.iter().map(|name| (*name).to_owned()).collect();
    }

    fn asked(&self) -> Vec<(String, u16)> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

impl Witnesses for Hands {
    fn add_checkpoint(&self, url: &str, body: &str) -> Result<(u16, Vec<u8>), String> {
        let name = url.strip_prefix("hand:").ok_or("an address of another kind")?.to_owned();
        let slow = self.slow.lock().unwrap().clone();
        if let Some((_, gate)) = slow.filter(|(slow, _)| *slow == name) {
            gate.wait();
        }
        if self.down.lock().unwrap().contains(&name) {
            self.asked.lock().unwrap().push((name, 0));
            return Err("connection refused".to_owned());
        }
        let at: usize = name[1..].parse().unwrap();
        let answer =
            self.witnesses[at - 1].add_checkpoint(body.as_bytes(), Time::from_secs(9)).unwrap();
        self.asked.lock().unwrap().push((name, answer.status()));
        Ok((answer.status(), answer.body().into_bytes()))
    }
}

/// A cloud whose log two of three witnesses must have seen.
struct World {
    test: TestCloud,
    dir: PathBuf,
    signer: Signer,
    hands: Arc<Hands>,
    sequencer: Arc<Sequencer>,
}

fn policy(log: &Verifier) -> Policy {
    let mut text = format!("log {log}\n");
    for seed in 1..=3_u8 {
        text += &format!("witness w{seed} {} hand:w{seed}\n", cosigner(seed).key());
    }
    Policy::parse((text + "group two 2 w1 w2 w3\nquorum two\n").as_bytes()).unwrap()
}

impl World {
    fn new() -> Self {
        let test = cloud();
        let dir = test.home.path().join("log");
        let signer = Signer::generate(&*test.cloud.rng, "test.local/log").unwrap();
        let hands = Hands::of(signer.verifier());
        let sequencer = Self::sequencer(&dir, &signer, &hands);
        Self { test, dir, signer, hands, sequencer }
    }

    fn sequencer(dir: &std::path::Path, signer: &Signer, hands: &Arc<Hands>) -> Arc<Sequencer> {
        let witnesses = Arc::clone(hands) as Arc<dyn Witnesses>;
        Sequencer::witnessed(dir.to_owned(), signer, policy(signer.verifier()), witnesses).unwrap()
    }

    async fn write(&self, from: usize, until: usize) {
        for number in from..until {
            let note = Sample { name: format!("note {number}"), size: 1, labels: Vec::new() };
            act::<CreateNote>(&self.test.cloud, &root(1), note).await.unwrap();
        }
    }

    async fn publish(&self) {
        self.sequencer.publish_pending(&self.test.cloud).await.unwrap();
    }

    /// How many entries the published log has, all verified, and how many witnesses cosigned it.
    fn published(&self) -> Option<(u64, usize)> {
        let reader = Reader::open(Directory::new(&self.dir), self.signer.verifier()).ok()?;
        let audit = reader.verify_all();
        assert!(audit.is_clean(), "{:?}", audit.faults);
        let policy = policy(self.signer.verifier());
        let cosigned = policy.satisfied_by(reader.note()).unwrap().len();
        Some((audit.entries, cosigned))
    }

    fn metric(&self, name: &str) -> String {
        let all = self.test.cloud.metrics.render();
        let line = all.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_default().to_owned()
    }
}

fn of(asked: &[(&str, u16)]) -> Vec<(String, u16)> {
    asked.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect()
}

#[tokio::test]
async fn the_published_checkpoint_carries_the_cosignatures_of_all_who_answer() {
    let world = World::new();
    world.write(0, 300).await;
    world.publish().await;
    assert_eq!(world.published(), Some((300, 3)));
    assert_eq!(world.hands.asked(), of(&[("w1", 200), ("w2", 200), ("w3", 200)]));
    world.write(300, 310).await;
    world.publish().await;
    assert_eq!(world.published(), Some((310, 3)));
    assert_eq!(world.metric("awan_log_cosignatures"), "3");
    assert_eq!(world.metric("awan_log_waiting_leaves"), "0");
    world.hands.asked();
    world.publish().await;
    assert_eq!(world.hands.asked(), [], "nobody is asked about what is published");
}

#[tokio::test]
async fn without_a_quorum_nothing_is_published_until_a_witness_is_back() {
    let world = World::new();
    world.write(0, 5).await;
    world.publish().await;
    world.hands.take_down(&["w1", "w2"]);
    world.write(5, 9).await;
    world.publish().await;
    assert_eq!(world.published(), Some((5, 3)), "readers see the log as it was");
    assert_eq!(world.metric("awan_log_waiting_leaves"), "4");
    assert_eq!(world.metric("awan_log_witness_wait_seconds"), "1");
    world.hands.asked();
    // Those that failed are left alone for a while; the third is asked about what came meanwhile.
    world.write(9, 12).await;
    world.publish().await;
    assert_eq!(world.hands.asked(), of(&[("w3", 200)]));
    assert_eq!(world.published(), Some((5, 3)));
    world.hands.take_down(&["w2"]);
    world.test.clock.pass(Duration::from_secs(1));
    world.publish().await;
    assert_eq!(world.published(), Some((12, 2)));
    assert_eq!(world.metric("awan_log_waiting_leaves"), "0");
    assert_eq!(world.metric("awan_log_witness_wait_seconds"), "0");
}

#[tokio::test]
async fn a_witness_that_is_behind_gets_a_proof_from_where_it_is() {
    let world = World::new();
    world.write(0, 5).await;
    world.hands.take_down(&["w3"]);
    world.publish().await;
    world.write(5, 300).await;
    world.hands.take_down(&[]);
    // A new start knows nothing of the witnesses: two are ahead of what it guesses, one is behind.
    drop(world.hands.asked());
    let again = World::sequencer(&world.dir, &world.signer, &world.hands);
    drop(world.sequencer);
    again.publish_pending(&world.test.cloud).await.unwrap();
    let asked = world.hands.asked();
    assert_eq!(asked, of(&[("w1", 200), ("w1", 409), ("w2", 200), ("w2", 409), ("w3", 200)]));
}

#[tokio::test]
async fn a_slow_witness_holds_up_nobody_and_its_answer_is_not_lost() {
    let world = World::new();
    let gate = Arc::new(std::sync::Barrier::new(2));
    *world.hands.slow.lock().unwrap() = Some(("w2".to_owned(), Arc::clone(&gate)));
    world.write(0, 5).await;
    world.publish().await;
    assert_eq!(world.published(), Some((5, 2)), "the slow one is still at it");
    world.write(5, 6).await;
    world.publish().await;
    assert_eq!(world.hands.asked(), of(&[("w1", 200), ("w1", 200), ("w3", 200), ("w3", 200)]));
    *world.hands.slow.lock().unwrap() = None;
    tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
    for _ in 0..500 {
        if world.hands.asked.lock().unwrap().len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.hands.asked(), of(&[("w2", 200)]));
}

#[tokio::test]
async fn a_crash_with_a_checkpoint_that_only_witnesses_have_seen_goes_on_from_the_database() {
    let world = World::new();
    world.write(0, 5).await;
    world.publish().await;
    world.hands.take_down(&["w1", "w2"]);
    world.write(5, 9).await;
    world.publish().await;
    // The third has cosigned nine entries, and nobody was shown them; here the process ends.
    drop(world.sequencer);
    world.hands.take_down(&["w2"]);
    let again = World::sequencer(&world.dir, &world.signer, &world.hands);
    again.publish_pending(&world.test.cloud).await.unwrap();
    let reader = Reader::open(Directory::new(&world.dir), world.signer.verifier()).unwrap();
    assert_eq!(reader.checkpoint().size, 9);
    assert!(reader.verify_all().is_clean());
}

#[tokio::test]
async fn a_policy_that_can_never_be_met_is_refused_at_the_start() {
    let world = World::new();
    let refused = |text: &str| {
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let hands = Arc::clone(&world.hands) as Arc<dyn Witnesses>;
        Sequencer::witnessed(world.dir.clone(), &world.signer, policy, hands)
            .err()
            .unwrap_or_default()
    };
    let key = cosigner(1).key().to_string();
    let text = refused(&format!("witness far {key}\nquorum far\n"));
    assert_eq!(text, "the quorum far is not met without far, of which the policy says no address");
    let other = Signer::generate(&*world.test.cloud.rng, "test.local/other").unwrap();
    let text = refused(&format!("log {}\nquorum none\n", other.verifier()));
    assert!(text.starts_with("the policy does not list this log: log test.local/log+"), "{text}");
    assert_eq!(refused("quorum none\n"), "");
}

#[tokio::test]
async fn the_task_publishes_by_itself_when_the_witnesses_are_back() {
    let world = World::new();
    world.hands.take_down(&["w1", "w2", "w3"]);
    let cloud = Arc::clone(&world.test.cloud);
    let runner = Runner::new(cloud).with_one(Arc::clone(&world.sequencer), &()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner.run(stopped));
    world.write(0, 7).await;
    let mut rounds = 0;
    while world.published().is_none_or(|(size, _)| size < 7) {
        rounds += 1;
        assert!(rounds < 1_000, "it is not published");
        if rounds == 20 {
            assert_eq!(world.published(), None);
            world.hands.take_down(&[]);
        }
        world.test.clock.pass(Duration::from_millis(250));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(true).unwrap();
    running.await.unwrap();
}
