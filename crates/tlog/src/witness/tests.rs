#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::testing::{LOG, Rows, cosigner, signed, signer, verifier};
use crate::{Hash, Signer};

/// The request of the specification's example.
const SPEC_REQUEST: &str = "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
/// The answer of the specification's example.
const SPEC_ANSWER: &str = "— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==\n— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==\n";

/// A memory that may be made to die after it has kept a note and before it says so.
#[derive(Default)]
struct Memory {
    kept: Mutex<BTreeMap<String, Note>>,
    dies: AtomicBool,
}

impl State for &Memory {
    fn exchange(
        &self,
        origin: &str,
        next: &mut dyn FnMut(Option<&Note>) -> Option<Note>,
    ) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap();
        if let Some(note) = next(kept.get(origin)) {
            kept.insert(origin.to_owned(), note);
            if self.dies.load(Ordering::SeqCst) {
                return Err(io::Error::other("killed"));
            }
        }
        Ok(())
    }
}

fn witness(memory: &Memory, seed: u8) -> Witness<&Memory> {
    Witness::new(cosigner(seed), vec![verifier()], memory)
}

fn request(old: u64, proof: Vec<Hash>, note: Note) -> String {
    Request { old, proof, note }.to_string()
}

/// The request that shows the honest log at a size, from another size on.
fn honest(rows: &Rows, old: u64, size: u64) -> String {
    let proof = if old <= size { rows.consistency(old, size) } else { Vec::new() };
    request(old, proof, signed(size, rows.root(size)))
}

/// The status and body with which a witness at 20 entries (-1: at none) answers.
#[track_caller]
fn check(held: Option<u64>, body: &str, status: u16, answer: &str) -> Answer {
    let rows = Rows::of_entries(40);
    let memory = Memory::default();
    if let Some(held) = held {
        let first =
            witness(&memory, 1).add_checkpoint(honest(&rows, 0, held).as_bytes(), Time::default());
        assert_eq!(first.unwrap().status(), 200);
    }
    let before = memory.kept.lock().unwrap().clone();
    let given = witness(&memory, 1).add_checkpoint(body.as_bytes(), Time::from_secs(7)).unwrap();
    assert_eq!((given.status(), given.body().contains(answer)), (status, true), "{given:?}");
    if status != 200 {
        assert_eq!(*memory.kept.lock().unwrap(), before, "a refusal changes nothing");
    }
    given
}

#[test]
fn the_specifications_messages_are_read_and_written_the_same() {
    let request = Request::parse(SPEC_REQUEST.as_bytes()).unwrap();
    assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
    assert_eq!(request.note.signatures().len(), 2);
    assert_eq!(request.to_string(), SPEC_REQUEST);
    let Ok(Reply::Cosigned(signatures)) = Reply::parse(200, SPEC_ANSWER.as_bytes()) else {
        unreachable!("it is an answer")
    };
    let names: Vec<_> = signatures.iter().map(crate::note::Signature::name).collect();
    assert_eq!(names, ["witness.example/w1", "witness.example/w1", "witness.example/w2"]);
    let lines: String = signatures.iter().map(|signature| format!("{signature}\n")).collect();
    assert_eq!(lines, SPEC_ANSWER);
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let rows = Rows::of_entries(40);
    for (held, body) in [
        (None, honest(&rows, 0, 0)),
        (None, honest(&rows, 0, 40)),
        (Some(0), honest(&rows, 0, 3)),
        (Some(20), honest(&rows, 20, 21)),
        (Some(20), honest(&rows, 20, 40)),
        (Some(32), honest(&rows, 32, 40)),
        (Some(20), honest(&rows, 20, 20)),
    ] {
        let answer = check(held, &body, 200, "— witness-1.example ");
        let note = Request::parse(body.as_bytes()).unwrap().note;
        let Ok(Reply::Cosigned(lines)) = Reply::parse(200, answer.body().as_bytes()) else {
            unreachable!("it is an answer")
        };
        let cosigned = note.clone().with_signatures(lines.clone());
        assert_eq!(cosigner(1).key().verify(&cosigned), Ok(Some(Time::from_secs(7))));
        assert_eq!(cosignature(&note, &lines, cosigner(1).key()).as_ref(), lines.first());
        assert_eq!(cosignature(&note, &lines, cosigner(2).key()), None);
    }
}

#[test]
fn each_refusal_has_the_status_of_the_specification() {
    let rows = Rows::of_entries(40);
    let forged = Rows::over((0..40_u64).map(|at| Hash::leaf(&at.to_be_bytes())).collect());
    let stranger = Signer::from_seed("log.example/other", base::Secret::new([8; 32])).unwrap();
    let forger = Signer::from_seed(LOG, base::Secret::new([8; 32])).unwrap();
    let sign = |signer: &Signer, size| {
        let origin = signer.verifier().name().to_owned();
        Checkpoint { origin, size, root: rows.root(size) }.sign(signer).unwrap()
    };
    let proof = || rows.consistency(20, 40);
    check(Some(20), "old 20\n", 400, "empty line");
    check(Some(20), &honest(&rows, 20, 40).replace("old 20", "old 020"), 400, "old size");
    check(Some(20), &honest(&rows, 41, 40), 400, "above the checkpoint's");
    check(
        Some(20),
        &request(20, vec![Hash::empty_tree(); 64], signed(40, rows.root(40))),
        400,
        "63",
    );
    let text = Note::sign(format!("{LOG}\nforty\n"), &[&signer()]).unwrap();
    check(Some(20), &request(20, Vec::new(), text), 400, "three lines");
    check(Some(20), &request(20, proof(), sign(&stranger, 40)), 404, "does not know");
    check(Some(20), &request(20, proof(), sign(&forger, 40)), 403, "not signed");
    let broken = honest(&rows, 20, 40).replace("\n40\n", "\n39\n");
    check(Some(20), &broken, 403, "not signed");
    let conflict = check(Some(20), &honest(&rows, 0, 40), 409, "20\n");
    assert_eq!((conflict.content_type(), conflict.body()), ("text/x.tlog.size", "20\n".to_owned()));
    check(None, &honest(&rows, 3, 40), 409, "0\n");
    check(Some(20), &honest(&rows, 5, 10), 409, "20\n");
    check(Some(20), &honest(&rows, 20, 10), 400, "above the checkpoint's");
    check(None, &request(0, Vec::new(), signed(0, Hash::leaf(b""))), 422, "empty root");
    check(None, &request(0, vec![Hash::empty_tree()], signed(40, rows.root(40))), 422, "length");
    check(Some(20), &request(20, Vec::new(), signed(40, rows.root(40))), 422, "length");
    check(
        Some(20),
        &request(20, forged.consistency(20, 40), signed(40, forged.root(40))),
        422,
        "does not lead",
    );
    check(Some(20), &request(20, proof(), signed(40, forged.root(40))), 422, "does not lead");
    let split =
        check(Some(20), &request(20, Vec::new(), signed(20, forged.root(20))), 422, "another root");
    assert!(split.split_view().unwrap().is_proof(&verifier()));
}

#[test]
fn a_split_view_shown_to_two_witnesses_is_caught_by_comparing_them() {
    let (rows, forged) = (
        Rows::of_entries(20),
        Rows::over((0..20_u64).map(|at| Hash::leaf(&at.to_be_bytes())).collect()),
    );
    let (here, there) = (Memory::default(), Memory::default());
    let show = |memory, seed, root| {
        let body = request(0, Vec::new(), signed(20, root));
        witness(memory, seed).add_checkpoint(body.as_bytes(), Time::from_secs(9)).unwrap()
    };
    // Each witness alone sees nothing wrong.
    assert_eq!(show(&here, 1, rows.root(20)).status(), 200);
    assert_eq!(show(&there, 2, forged.root(20)).status(), 200);
    let (one, other) =
        (here.kept.lock().unwrap()[LOG].clone(), there.kept.lock().unwrap()[LOG].clone());
    let split = SplitView::of(&one, &other).unwrap();
    assert!(split.is_proof(&verifier()));
    assert_eq!((split.origin(), split.size()), (LOG, 20));
    let told = split.to_string();
    assert!(told.contains("signed two different roots for its first 20 entries"), "{told}");
    assert!(told.contains(&one.to_string()) && told.contains(&other.to_string()), "{told}");
    assert_eq!(SplitView::of(&one, &one), None);
    // Either of them refuses what the other saw, also where the proof begins at another size.
    assert_eq!(show(&here, 1, forged.root(20)).status(), 409);
    assert!(show(&there, 2, rows.root(20)).split_view().is_some());
}

#[test]
fn a_witness_killed_between_keeping_and_answering_goes_on_from_what_it_kept() {
    let rows = Rows::of_entries(40);
    let memory = Memory::default();
    let ask = |old, size| {
        witness(&memory, 1).add_checkpoint(honest(&rows, old, size).as_bytes(), Time::from_secs(3))
    };
    assert_eq!(ask(0, 20).unwrap().status(), 200);
    memory.dies.store(true, Ordering::SeqCst);
    assert!(ask(20, 30).is_err());
    memory.dies.store(false, Ordering::SeqCst);
    assert_eq!(ask(20, 30).unwrap().body(), "30\n");
    assert_eq!(ask(20, 25).unwrap().status(), 409, "it cannot be led back");
    assert_eq!(ask(30, 30).unwrap().status(), 200);
    assert_eq!(ask(30, 40).unwrap().status(), 200);
}

#[test]
fn what_is_kept_holds_the_logs_signature_and_the_witnesss_and_no_strangers() {
    let rows = Rows::of_entries(5);
    let memory = Memory::default();
    let stranger = cosigner(9).cosign(&signed(5, rows.root(5)), Time::from_secs(1));
    let body = request(0, Vec::new(), signed(5, rows.root(5)).with_signatures([stranger]));
    assert_eq!(
        witness(&memory, 1).add_checkpoint(body.as_bytes(), Time::from_secs(2)).unwrap().status(),
        200
    );
    let kept = memory.kept.lock().unwrap()[LOG].clone();
    let names: Vec<_> = kept.signatures().iter().map(crate::note::Signature::name).collect();
    assert_eq!(names, [LOG, "witness-1.example"]);
}

#[test]
fn answers_are_understood_or_refused() {
    assert_eq!(Reply::parse(409, b"17\n"), Ok(Reply::At(17)));
    for body in [&b"17"[..], b"017\n", b"x\n", b"", b"\xff\n"] {
        assert!(Reply::parse(409, body).is_err());
    }
    for body in [&b""[..], b"x\n", b"\xe2\x80\x94 w AAAAAAA=", b"\xff\n"] {
        assert!(Reply::parse(200, body).is_err());
    }
    let refused = Reply::Refused { status: 503, what: "down for an hour".to_owned() };
    assert_eq!(Reply::parse(503, b"down for\x07 an hour\nmore\n"), Ok(refused));
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_refused(bytes: Vec<u8>, head in "(old [0-9]{0,21}\n)?([A-Za-z0-9+=]{0,44}\n){0,3}\n?") {
        let _ = Request::parse(&bytes);
        let body = format!("{head}{}", signed(3, Hash::empty_tree()));
        if let Ok(request) = Request::parse(body.as_bytes()) {
            prop_assert_eq!(request.to_string(), body);
        }
        let memory = Memory::default();
        let _ = witness(&memory, 1).add_checkpoint(&bytes, Time::default()).unwrap();
    }

    #[test]
    fn any_answer_is_understood_or_refused(status in 0..1000_u16, bytes: Vec<u8>, lines in "(— [a-z]{1,3} [A-Za-z0-9+/=]{0,12}\n?){0,3}") {
        let _ = Reply::parse(status, &bytes);
        let _ = Reply::parse(200, lines.as_bytes());
    }

    /// Whatever is shown in whatever order: what a witness cosigned is always one log that grew.
    #[test]
    fn what_was_cosigned_is_always_one_log(shown in prop::collection::vec((any::<bool>(), 0..30_u64, 0..30_u64), 1..30)) {
        let logs = [Rows::of_entries(30), Rows::over((0..30_u64).map(|at| Hash::leaf(&at.to_be_bytes())).collect())];
        let memory = Memory::default();
        let mut cosigned: Vec<(usize, u64)> = Vec::new();
        for (which, old, size) in shown {
            let log = usize::from(which);
            let body = honest(&logs[log], old, size);
            let answer = witness(&memory, 1).add_checkpoint(body.as_bytes(), Time::from_secs(1)).unwrap();
            if answer.status() == 200 {
                cosigned.push((log, size));
            }
        }
        prop_assert!(cosigned.is_sorted_by_key(|(_, size)| *size));
        let mut of: Vec<_> = cosigned.iter().filter(|(_, size)| *size > 0).map(|(log, _)| *log).collect();
        of.dedup();
        prop_assert!(of.len() <= 1, "{cosigned:?}");
    }
}
