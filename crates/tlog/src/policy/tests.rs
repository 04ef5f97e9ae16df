#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base::Time;
use proptest::prelude::*;

use super::*;
use crate::testing::{cosigner, signed, signer, verifier};
use crate::{Hash, Signer};

/// The example of the specification, with keys and two URLs.
fn example() -> String {
    let key = |seed| cosigner(seed).key().to_string();
    format!(
        "# two organisations\nlog {}\n\nwitness X1 {} https://x1.example/\n  witness\tX2 {}  \nwitness X3 {}\ngroup X-witnesses 2 X1 X2 X3\n\nwitness Y1 {}\nwitness Y2 {} http://y2.example/w\nwitness Y3 {}\ngroup Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        verifier(),
        key(1),
        key(2),
        key(3),
        key(4),
        key(5),
        key(6),
    )
}

/// The checkpoint of three entries, cosigned by these witnesses.
fn cosigned(seeds: &[u8]) -> Note {
    let note = signed(3, Hash::leaf(b"root"));
    let cosign = |seed: &u8| cosigner(*seed).cosign(&note, Time::from_secs(1_800_000_000));
    let signatures: Vec<_> = seeds.iter().map(cosign).collect();
    note.with_signatures(signatures)
}

/// What a policy says of a checkpoint that these witnesses cosigned: nobody missing, or who.
fn check(policy: &str, seeds: &[u8]) -> Result<usize, Vec<String>> {
    match Policy::parse(policy.as_bytes()).unwrap().satisfied_by(&cosigned(seeds)) {
        Ok(witnesses) => Ok(witnesses.len()),
        Err(Unsatisfied::Quorum(unmet)) => Err(unmet.missing),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_specifications_example_asks_for_two_of_one_and_one_of_the_other() {
    let missing = |names: &[&str]| Err(names.iter().map(|name| (*name).to_owned()).collect());
    let policy = example();
    assert_eq!(check(&policy, &[1, 3, 5]), Ok(3));
    assert_eq!(check(&policy, &[1, 2, 3, 4, 5, 6]), Ok(6));
    assert_eq!(check(&policy, &[1, 2, 3]), missing(&["Y1", "Y2", "Y3"]));
    assert_eq!(check(&policy, &[2, 4, 5, 6]), missing(&["X1", "X3"]));
    assert_eq!(check(&policy, &[]), missing(&["X1", "X2", "X3", "Y1", "Y2", "Y3"]));
    assert_eq!(check(&policy, &[1, 2, 4, 9]), Ok(3), "a stranger counts for nothing");
    let read = Policy::parse(policy.as_bytes()).unwrap();
    assert_eq!(read.logs(), [Log { key: verifier(), url: None }]);
    let urls: Vec<_> = read.witnesses().iter().map(|witness| witness.url.as_deref()).collect();
    let expected =
        [Some("https://x1.example"), None, None, None, Some("http://y2.example/w"), None];
    assert_eq!(urls, expected);
}

#[test]
fn a_quorum_is_one_witness_or_none() {
    let key = cosigner(1).key().to_string();
    let one = format!("witness w {key}\nquorum w\n");
    assert_eq!(check(&one, &[1]), Ok(1));
    assert_eq!(check(&one, &[2]), Err(vec!["w".to_owned()]));
    assert_eq!(check("quorum none", &[]), Ok(0));
    assert_eq!(check(&format!("witness w {key}\nquorum none"), &[1]), Ok(1));
}

#[test]
fn a_wrong_cosignature_of_a_known_witness_refuses_the_checkpoint() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    let mut wrong = cosigner(6).cosign(&cosigned(&[]), Time::from_secs(1));
    wrong.bytes[20] ^= 1;
    let note = cosigned(&[1, 2, 4]).with_signatures([wrong]);
    let refused = Unsatisfied::Note(note::Error::Signature("witness-6.example".to_owned()));
    assert_eq!(policy.satisfied_by(&note), Err(refused));
}

#[test]
fn the_log_must_have_signed_too() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    assert_eq!(policy.verify(&cosigned(&[1, 2, 4])).unwrap().size, 3);
    let unmet = policy.verify(&cosigned(&[1, 2])).unwrap_err();
    assert_eq!(unmet.to_string(), "the quorum X-and-Y is not met without X3, Y1, Y2, Y3");
    let other = Signer::from_seed("log.example/other", base::Secret::new([9; 32])).unwrap();
    let checkpoint =
        Checkpoint { origin: "log.example/other".to_owned(), size: 0, root: Hash::empty_tree() };
    let stranger = policy.verify(&checkpoint.sign(&other).unwrap());
    assert_eq!(stranger, Err(Unsatisfied::UnknownLog("log.example/other".to_owned())));
    let forger = Signer::from_seed(signer().verifier().name(), base::Secret::new([9; 32])).unwrap();
    let forged = Note::sign(cosigned(&[]).text().to_owned(), &[&forger]).unwrap();
    assert_eq!(policy.verify(&forged), Err(Unsatisfied::Note(note::Error::Unsigned)));
}

#[test]
fn a_proof_is_verified_with_the_cosignatures_that_it_carries() {
    let mut proof = crate::testing::reader(&crate::testing::log_of(&[3])).proof(1).unwrap();
    let leaf = Hash::leaf(&crate::testing::entry(1));
    let policy = Policy::parse(example().as_bytes()).unwrap();
    let lacking = proof.verify_with_policy(leaf, &policy).unwrap_err();
    assert!(matches!(lacking, crate::proof::Error::Policy(Unsatisfied::Quorum(_))), "{lacking:?}");
    let cosign = |seed| cosigner(seed).cosign(&proof.checkpoint, Time::from_secs(5));
    let signatures = [1, 2, 4].map(cosign);
    proof.checkpoint = proof.checkpoint.with_signatures(signatures);
    let read = crate::Proof::parse(proof.to_string().as_bytes()).unwrap();
    assert_eq!(read.verify_with_policy(leaf, &policy).unwrap().size, 3);
    assert!(read.verify_with_policy(Hash::leaf(b"another"), &policy).is_err());
}

#[test]
fn wrong_lines_are_named() {
    let key = |seed| cosigner(seed).key().to_string();
    let two = format!("witness a {}\nwitness b {}\n", key(1), key(2));
    let check = |lines: &str, line: usize, part: &str| {
        let error = Policy::parse(lines.as_bytes()).unwrap_err();
        assert_eq!(error.line, line, "{lines}: {error}");
        assert!(error.what.contains(part), "{lines}: {error}");
    };
    check("", 1, "no quorum");
    check("# none\n", 2, "no quorum");
    check("quorum none\nquorum none\n", 2, "already");
    check("quorum nobody\n", 1, "who nobody is");
    check(&format!("{two}group g 1 a\nquorum g x\n"), 4, "number of words");
    check(&format!("{two}group g 0 a b\n"), 3, "none of any, all and 1 to 2");
    check(&format!("{two}group g 3 a b\n"), 3, "none of any, all and 1 to 2");
    check(&format!("{two}group g 01 a b\n"), 3, "none of any");
    check(&format!("{two}group g most a b\n"), 3, "most is none of any");
    check(&format!("{two}group g any\n"), 3, "number of words");
    check(&format!("{two}group g any a g\n"), 3, "who g is");
    check(&format!("{two}group g any a none\n"), 3, "who none is");
    check(&format!("{two}group g any a a\n"), 3, "counted already");
    check(&format!("{two}group g any a\ngroup h any b a\n"), 4, "counted already");
    check(&format!("{two}group a any b\n"), 3, "is taken");
    check(&format!("{two}group none any b\n"), 3, "is taken");
    check(&format!("{two}witness a {}\n", key(3)), 3, "is taken");
    check(&format!("{two}witness c {}\n", key(2)), 3, "there already");
    check(&format!("log {0}\nlog {0}\n", verifier()), 2, "there already");
    check(&format!("log {}\n", key(1)), 1, "type byte");
    check(&format!("witness a {}\n", verifier()), 1, "type byte");
    check("quorum none\r\n", 1, "control character");
    check("quorum none\x7f\n", 1, "control character");
    check("Quorum none\n", 1, "none of log");
    check(&"#".repeat(POLICY_BYTES_MAX + 1), 1, "too long");
    assert!(Policy::parse(b"# \xff\nquorum none\n").is_err());
}

#[test]
fn names_and_comments_may_hold_any_letters() {
    let policy = format!(
        "# Komisi Pemilihan Umum – café\nwitness Sekolah-Ü {}\nquorum Sekolah-Ü",
        cosigner(1).key()
    );
    assert_eq!(check(&policy, &[1]), Ok(1));
}

/// A group of a random policy: its threshold, and how many of the names that are left it takes.
type Shape = Vec<(usize, usize)>;

/// The policy of this shape over nine witnesses, and a naive judge of it.
fn build(shape: &Shape) -> (String, impl Fn(&[bool]) -> bool) {
    let mut text = String::new();
    let mut open: Vec<String> = (1..=9_u8).map(|seed| format!("w{seed}")).collect();
    for seed in 1..=9_u8 {
        text += &format!("witness w{seed} {}\n", cosigner(seed).key());
    }
    let mut groups: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for (at, (threshold, take)) in shape.iter().enumerate() {
        let members: Vec<String> = open.drain(..(1 + take % open.len())).collect();
        let threshold = 1 + threshold % members.len();
        text += &format!("group g{at} {threshold} {}\n", members.join(" "));
        groups.insert(format!("g{at}"), (threshold, members));
        open.push(format!("g{at}"));
    }
    let quorum = open.last().unwrap().clone();
    text += &format!("quorum {quorum}\n");
    fn judge(
        name: &str,
        groups: &BTreeMap<String, (usize, Vec<String>)>,
        cosigned: &[bool],
    ) -> bool {
        match groups.get(name) {
            Some((threshold, members)) => {
                members.iter().filter(|member| judge(member, groups, cosigned)).count()
                    >= *threshold
            }
            None => cosigned[name[1..].parse::<usize>().unwrap() - 1],
        }
    }
    (text, move |cosigned: &[bool]| judge(&quorum, &groups, cosigned))
}

proptest! {
    #[test]
    fn any_bytes_are_a_policy_or_refused(bytes: Vec<u8>, lines in "(((log|witness|group|quorum|#)[ \t]+)?[a-c0-2 ]{0,8}\n){0,6}") {
        let _ = Policy::parse(&bytes);
        let _ = Policy::parse(lines.as_bytes());
    }

    #[test]
    fn any_policy_judges_as_a_naive_one(shape in prop::collection::vec((0..9_usize, 0..9_usize), 0..6), bits in 0..512_u32) {
        let (text, judge) = build(&shape);
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let cosigned: Vec<bool> = (0..9).map(|bit| bits >> bit & 1 == 1).collect();
        let by = |witness: &Witness| cosigned[witness.name[1..].parse::<usize>().unwrap() - 1];
        match policy.met_by(by) {
            Ok(()) => prop_assert!(judge(&cosigned)),
            Err(unmet) => {
                prop_assert!(!judge(&cosigned));
                prop_assert!(!unmet.missing.is_empty());
                // With all that it names, it is met.
                let with = |witness: &Witness| by(witness) || unmet.missing.contains(&witness.name);
                prop_assert!(policy.met_by(with).is_ok());
            }
        }
    }
}
