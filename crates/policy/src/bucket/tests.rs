#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

const OWNER: AccountId = AccountId::new(1_000_000_000_000_001);
const OTHER: AccountId = AccountId::new(1_000_000_000_000_002);
const HOME: Home<'_> = Home { owner: OWNER, bucket: "box" };

const NOBODY: Asker<'_> = Asker { account: AccountId::new(0), party: Party::Unnamed };
const ROOT: Asker<'_> = Asker { account: OTHER, party: Party::Root };

fn user(account: AccountId) -> Asker<'static> {
    Asker { account, party: Party::User { id: "200000000000000001", name: "ani" } }
}

fn ask(policy: &BucketPolicy, asker: Asker<'_>, action: &str, name: &str) -> Says {
    let values = |key: &str| match key {
        "acs:SourceIp" => vec![Cow::Borrowed("10.1.2.3")],
        "oss:Prefix" => vec![Cow::Borrowed("public/")],
        _ => Vec::new(),
    };
    let resource = format!("acs:oss:*:{OWNER}:{name}");
    policy.says(&Facts { action, resource: &resource, asker, values: &values })
}

fn oss(effect: &str, principal: &str, action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Principal":{principal},"Action":["{action}"],"Resource":["{resource}"]}}]}}"#
    )
}

fn s3(principal: &str, action: &str, more: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Id":"x","Statement":{{"Sid":"y","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]{more}}}}}"#
    )
}

fn parse(text: &str) -> BucketPolicy {
    BucketPolicy::parse(text, HOME).unwrap()
}

#[test]
fn both_forms_name_everybody_accounts_and_users() {
    use Says::{Allows, AllowsAccount, Nothing};
    let check = |principal: &str, wanted: [Says; 4]| {
        let text = match principal.starts_with('[') {
            true => oss("Allow", principal, "oss:GetObject", "acs:oss:*:*:box/*"),
            false => s3(principal, "s3:GetObject", ""),
        };
        let policy = parse(&text);
        let said = [NOBODY, ROOT, user(OTHER), user(OWNER)]
            .map(|asker| ask(&policy, asker, "oss:GetObject", "box/a"));
        assert_eq!(said, wanted, "{principal}");
    };
    check(r#"["*"]"#, [Allows; 4]);
    check(r#""*""#, [Allows; 4]);
    check(r#"{"AWS":"*"}"#, [Allows; 4]);
    check(r#"["1000000000000002"]"#, [Nothing, AllowsAccount, AllowsAccount, Nothing]);
    check(r#"{"AWS":"1000000000000002"}"#, [Nothing, AllowsAccount, AllowsAccount, Nothing]);
    check(
        r#"{"AWS":["arn:aws:iam::1000000000000002:root"]}"#,
        [Nothing, AllowsAccount, AllowsAccount, Nothing],
    );
    check(r#"["200000000000000001"]"#, [Nothing, Nothing, Allows, Allows]);
    check(
        r#"{"AWS":"arn:aws:iam::1000000000000001:user/ani"}"#,
        [Nothing, Nothing, Nothing, Allows],
    );
    check(r#"["0000000000000000"]"#, [Nothing; 4]);
}

#[test]
fn actions_of_s3_are_those_of_the_table_with_wildcards_too() {
    let check = |action: &str, asked: &str, allowed: bool| {
        let said = ask(&parse(&s3(r#""*""#, action, "")), ROOT, asked, "box/a");
        assert_eq!(said == Says::Allows, allowed, "{action} {asked}");
    };
    check("s3:ListBucket", "oss:ListObjects", true);
    check("s3:ListBucketVersions", "oss:ListObjects", false);
    check("s3:List*", "oss:ListParts", true);
    check("s3:Get*", "oss:GetObject", true);
    check("s3:Get*", "oss:GetBucketCors", true);
    check("s3:Get*", "oss:ListObjects", false);
    check("s3:getobject*", "oss:GetObjectTagging", true);
    check("s3:PutBucketCORS", "oss:DeleteBucketCors", true);
    check("s3:*", "oss:DeleteObject", true);
    check("*", "oss:PutObject", true);
}

#[test]
fn a_denial_outweighs_and_spares_those_it_excepts() {
    let deny = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::box*"},
        {"Effect":"Deny","NotPrincipal":{"AWS":"1000000000000001"},"Action":"s3:Put*","Resource":"arn:aws:s3:::box/*"}]}"#;
    let policy = parse(deny);
    for (asker, wanted) in
        [(NOBODY, Says::Denies), (ROOT, Says::Denies), (user(OWNER), Says::Allows)]
    {
        assert_eq!(ask(&policy, asker, "oss:PutObject", "box/a"), wanted);
        assert_eq!(ask(&policy, asker, "oss:GetObject", "box/a"), Says::Allows);
        assert_eq!(ask(&policy, asker, "oss:GetObject", "chest/a"), Says::Nothing);
    }
}

#[test]
fn conditions_are_asked_in_the_words_of_either_form() {
    let check = |condition: &str, holds: bool| {
        let text = s3(r#""*""#, "s3:ListBucket", &format!(r#","Condition":{condition}"#));
        let said = ask(&parse(&text), NOBODY, "oss:ListObjects", "box");
        assert_eq!(said == Says::Allows, holds, "{condition}");
    };
    check(r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, true);
    check(r#"{"IpAddress":{"aws:sourceip":["192.0.2.0/24"]}}"#, false);
    check(r#"{"StringLike":{"s3:prefix":"pub*"}}"#, true);
    check(r#"{"StringEquals":{"s3:prefix":"private/"}}"#, false);
    check(r#"{"StringEquals":{"aws:UserAgent":"x"}}"#, false);
}

#[test]
fn what_lets_anybody_in_from_anywhere_is_public() {
    let check = |principal: &str, more: &str, public: bool| {
        assert_eq!(parse(&s3(principal, "s3:*", more)).is_public(), public, "{principal} {more}");
    };
    check(r#""*""#, "", true);
    check(r#"{"AWS":"1000000000000002"}"#, "", false);
    let network =
        |block: &str| format!(r#","Condition":{{"IpAddress":{{"aws:SourceIp":"{block}"}}}}"#);
    check(r#""*""#, &network("10.0.0.0/8"), false);
    check(r#""*""#, &network("0.0.0.0/0"), true);
    // Nor what two halves make whole, or what asks about something else than the network.
    let halves = r#","Condition":{"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}"#;
    check(r#""*""#, halves, true);
    check(r#""*""#, r#","Condition":{"IpAddress":{"aws:UserAgent":"10.0.0.0/8"}}"#, true);
    let deny = oss("Deny", r#"["*"]"#, "oss:*", "acs:oss:*:*:box");
    assert!(!parse(&deny).is_public());
}

#[test]
fn what_is_not_of_this_bucket_or_not_known_is_refused() {
    let good = oss("Allow", r#"["*"]"#, "oss:GetObject", "acs:oss:*:1000000000000001:box/*");
    parse(&good);
    for (from, to) in [
        ("box/*", "chest/*"),
        ("box/*", "boxes/*"),
        ("box/*", "*x"),
        ("1000000000000001:box", "1000000000000002:box"),
        ("oss:GetObject", "ecs:Start"),
        (r#""1""#, r#""3""#),
        (r#"["*"]"#, r#"{"AWS":"*"}"#),
        (r#"["*"]"#, r#"["ani"]"#),
        (r#""Principal":["*"]"#, r#""NotPrincipal":["1"]"#),
    ] {
        assert!(good.contains(from), "{from}");
        assert!(BucketPolicy::parse(&good.replace(from, to), HOME).is_err(), "{from} {to}");
    }
    for bad in [
        s3(r#"{"Service":"x"}"#, "s3:*", ""),
        s3(r#"{"AWS":"ani"}"#, "s3:*", ""),
        s3(r#""*""#, "s3:FlyToTheMoon", ""),
        s3(r#""*""#, "oss:GetObject", ""),
        s3(
            r#""*""#,
            "s3:*",
            r#","Condition":{"StringEquals":{"s3:x-amz-content-sha256":"private"}}"#,
        ),
        s3(r#""*""#, "s3:*", r#","Condition":{"StringEquals":{"s3:prefix":"${aws:username}"}}"#),
    ] {
        assert!(BucketPolicy::parse(&bad, HOME).is_err(), "{bad}");
    }
}

#[test]
fn conditions_ask_for_tags_and_for_headers_that_may_be_missing() {
    fn asked(condition: &str, values: &dyn Fn(&str) -> Vec<Cow<'static, str>>) -> bool {
        let policy = parse(&s3(r#""*""#, "s3:PutObject", &format!(r#","Condition":{condition}"#)));
        let resource = format!("acs:oss:*:{OWNER}:box/a");
        let given = |key: &str| values(key);
        let (action, resource) = ("oss:PutObject", resource.as_str());
        policy.says(&Facts { action, resource, asker: NOBODY, values: &given }) == Says::Allows
    }
    let tagged = |wanted: &'static str, value: &'static str| {
        move |key: &str| if key == wanted { vec![Cow::Borrowed(value)] } else { Vec::new() }
    };
    let existing = r#"{"StringEquals":{"s3:existingobjecttag/Kelas":"umum"}}"#;
    assert!(asked(existing, &tagged("oss:ExistingObjectTag/Kelas", "umum")));
    assert!(
        !asked(existing, &tagged("oss:ExistingObjectTag/kelas", "umum")),
        "a tag's case counts"
    );
    let given = r#"{"StringLike":{"s3:RequestObjectTag/a":"x*"}}"#;
    assert!(asked(given, &tagged("oss:RequestObjectTag/a", "xy")));
    let header = "oss:x-oss-server-side-encryption";
    for (null, there, missing) in [("true", false, true), ("false", true, false)] {
        let condition = format!(r#"{{"Null":{{"s3:x-amz-server-side-encryption":"{null}"}}}}"#);
        assert_eq!(asked(&condition, &tagged(header, "AES256")), there);
        assert_eq!(asked(&condition, &|_| Vec::new()), missing);
    }
    let no_tag = r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/":"a"}}"#;
    assert!(BucketPolicy::parse(&s3(r#""*""#, "s3:*", no_tag), HOME).is_err());
}

proptest! {
    #[test]
    fn the_parser_takes_any_text(text: String) {
        let _ = BucketPolicy::parse(&text, HOME);
    }

    #[test]
    fn a_policy_that_parses_can_be_asked(
        form in any::<bool>(), at: prop::sample::Index, with: char,
        action in "[a-zA-Z:*?]{0,12}", name in ".{0,12}",
    ) {
        let text = if form {
            s3(r#"{"AWS":["*","1000000000000001"]}"#, "s3:Get*", r#","Condition":{"StringLike":{"s3:prefix":"a*"}}"#)
        } else {
            oss("Allow", r#"["*","1"]"#, "oss:*", "acs:oss:*:*:box/*")
        };
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars[at] = with;
        if let Ok(policy) = BucketPolicy::parse(&chars.iter().collect::<String>(), HOME) {
            for asker in [NOBODY, ROOT, user(OWNER)] {
                let _ = (ask(&policy, asker, &action, &name), policy.is_public());
            }
        }
    }

    #[test]
    fn a_denial_of_everything_denies_everybody(
        account in any::<u64>(), kind in 0..4usize, action in "[A-Za-z]{1,12}", name in "(/.{0,12})?",
    ) {
        let deny = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:s3:::box*"}]}"#;
        let party = [
            Party::Unnamed,
            Party::Root,
            Party::User { id: "1", name: "a" },
            Party::Role { id: "1", name: "a" },
        ][kind];
        let asker = Asker { account: AccountId::new(account), party };
        let said = ask(&parse(deny), asker, &format!("oss:{action}"), &format!("box{name}"));
        prop_assert_eq!(said, Says::Denies);
    }
}

#[test]
fn a_service_is_let_in_only_by_a_rule_that_names_it_and_what_it_acts_for() {
    let logging =
        Asker { account: AccountId::new(0), party: Party::Service("logging.s3.amazonaws.com") };
    let named = r#"{"Service":"logging.s3.amazonaws.com"}"#;
    let of = |from: &str| {
        format!(
            r#","Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::{from}"}},"StringEquals":{{"aws:SourceAccount":"7"}}}}"#
        )
    };
    let says = |text: &str, asker| {
        let values = |key: &str| match key {
            "acs:SourceArn" => vec![Cow::Borrowed("arn:aws:s3:::from")],
            "acs:SourceAccount" => vec![Cow::Borrowed("7")],
            _ => Vec::new(),
        };
        let resource = format!("acs:oss:*:{OWNER}:box/log/1");
        let action = "oss:PutObject";
        parse(text).says(&Facts { action, resource: &resource, asker, values: &values })
    };
    assert_eq!(says(&s3(named, "s3:PutObject", &of("from")), logging), Says::Allows);
    assert_eq!(says(&s3(named, "s3:PutObject", &of("f*")), logging), Says::Allows);
    assert_eq!(says(&s3(named, "s3:PutObject", &of("else")), logging), Says::Nothing);
    assert_eq!(says(&s3(named, "s3:GetObject", &of("from")), logging), Says::Nothing);
    assert_eq!(says(&s3(r#""*""#, "s3:PutObject", ""), logging), Says::Nothing);
    let other = r#"{"Service":"logging.s3.amazonaws.comx"}"#;
    assert_eq!(says(&s3(other, "s3:PutObject", ""), logging), Says::Nothing);
    for asker in [NOBODY, ROOT, user(OWNER)] {
        assert_eq!(says(&s3(named, "s3:PutObject", ""), asker), Says::Nothing);
    }
    let denied = s3(r#""*""#, "s3:PutObject", "").replace("Allow", "Deny");
    assert_eq!(says(&denied, logging), Says::Denies);
}

#[test]
fn a_statement_of_oss_without_a_principal_opens_nothing_and_closes_to_all() {
    let text = |effect: &str, resource: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Action":["oss:PutObject"],"Resource":["{resource}"]}}]}}"#
        )
    };
    let said = |effect: &str| {
        let policy = parse(&text(effect, "acs:oss:*:*:*/*"));
        assert!(!policy.is_public());
        [NOBODY, ROOT, user(OWNER)].map(|asker| ask(&policy, asker, "oss:PutObject", "box/a"))
    };
    assert_eq!(said("Allow"), [Says::Nothing; 3]);
    assert_eq!(said("Deny"), [Says::Denies; 3]);
    assert!(BucketPolicy::parse(&text("Allow", "acs:oss:*:*:chest/*"), HOME).is_err());
    let of_s3 = s3(r#""*""#, "s3:GetObject", "").replace(r#""Principal":"*","#, "");
    assert!(BucketPolicy::parse(&of_s3, HOME).is_err());
}
