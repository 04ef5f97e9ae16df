#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use base::SystemRng;
use proptest::prelude::*;

use super::*;

const NOW: Time = Time::from_secs(1_800_000_000);

fn seal() -> Seal {
    Seal::new(&[7; Seal::KEY_LEN], Arc::new(SystemRng))
}

fn session() -> Session {
    Session {
        key_id: "STS.a".to_owned(),
        secret: Secret::new("secret".to_owned()),
        account: AccountId::new(1_000_000_000_000_001),
        role_id: "3".to_owned(),
        name: "s".to_owned(),
        policy: Some("{}".to_owned()),
        expires: NOW.plus(Duration::from_secs(900)),
    }
}

/// The code that opening a token answers with.
fn refusal(token: &str, key_id: &str, now: Time) -> String {
    Session::open(&seal(), token, key_id, now).unwrap_err().code().to_owned()
}

#[test]
fn a_token_gives_its_session_back_until_it_ends() {
    let token = session().issue(&seal()).unwrap();
    let open = Session::open(&seal(), &token, "STS.a", NOW).unwrap();
    assert_eq!((open.secret.expose().as_str(), open.role_id.as_str()), ("secret", "3"));
    assert_eq!((open.account, open.policy.as_deref()), (session().account, Some("{}")));
    assert!(
        Session::open(&seal(), &token, "STS.a", open.expires.minus(Duration::from_micros(1)))
            .is_ok()
    );
    assert_eq!(refusal(&token, "STS.a", open.expires), "InvalidSecurityToken.Expired");
}

#[test]
fn a_token_of_another_key_or_cloud_is_malformed() {
    let token = session().issue(&seal()).unwrap();
    assert_eq!(refusal(&token, "STS.b", NOW), "InvalidSecurityToken.Malformed");
    let other = Seal::new(&[8; Seal::KEY_LEN], Arc::new(SystemRng));
    assert!(Session::open(&other, &token, "STS.a", NOW).is_err());
    let same_seal_other_thing = STANDARD.encode(seal().seal("ram.key/x", b"{}"));
    assert_eq!(refusal(&same_seal_other_thing, "STS.a", NOW), "InvalidSecurityToken.Malformed");
}

proptest! {
    #[test]
    fn a_changed_token_is_malformed(at: prop::sample::Index, bit in 0..8u8) {
        let mut sealed = STANDARD.decode(session().issue(&seal()).unwrap()).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(refusal(&STANDARD.encode(sealed), "STS.a", NOW), "InvalidSecurityToken.Malformed");
    }

    #[test]
    fn any_text_is_taken_for_a_token(text: String) {
        prop_assert_eq!(refusal(&text, "STS.a", NOW), "InvalidSecurityToken.Malformed");
    }
}
