#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::borrow::Cow;
use std::cell::Cell;

use base::AccountId;
use proptest::prelude::*;

use crate::condition::{Condition, OPERATORS};
use crate::document::{DOCUMENT_MAX, Document};
use crate::matcher::{JOKER_SEGMENT_MAX, glob, glob_by, resource};
use crate::{Asker, Decision, Effect, Facts, Party, evaluate};

const ACCOUNT: AccountId = AccountId::new(1_000_000_000_000_001);

fn user(name: &str) -> Asker<'_> {
    Asker { account: ACCOUNT, party: Party::User { id: "2", name } }
}

/// What `documents` say of one request whose condition values are `values`.
fn ask(documents: &[&str], action: &str, arn: &str, values: &[(&str, &str)]) -> Decision {
    let documents: Vec<_> = documents.iter().map(|text| Document::parse(text).unwrap()).collect();
    decide(&documents, action, arn, values, user("alice"))
}

fn decide(
    documents: &[Document],
    action: &str,
    arn: &str,
    values: &[(&str, &str)],
    asker: Asker<'_>,
) -> Decision {
    let lookup = |key: &str| {
        let same = values.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        same.map(|(_, value)| Cow::Owned((*value).to_owned())).collect()
    };
    evaluate(documents, &Facts { action, resource: arn, asker, values: &lookup })
}

fn one(effect: &str, action: &str, arn: &str) -> String {
    format!(
        r#"{{"Version":"1","Statement":{{"Effect":"{effect}","Action":"{action}","Resource":"{arn}"}}}}"#
    )
}

/// Whether a condition holds for the values given.
fn holds(operator: &str, wanted: &[&str], given: &[&str]) -> bool {
    let wanted: Vec<String> = wanted.iter().map(|value| (*value).to_owned()).collect();
    let given: Vec<Cow<'_, str>> = given.iter().map(|value| Cow::Borrowed(*value)).collect();
    Condition::new(operator, "acs:Key", &wanted).unwrap().holds(&given)
}

#[test]
fn actions_match_in_any_case_and_resources_in_their_own() {
    let check = |pattern: &str, arn: &str, action: &str, asked: &str| {
        ask(&[&one("Allow", pattern, arn)], action, asked, &[]) == Decision::Allow
    };
    let mine = "acs:oss:*:1000000000000001:box/a.txt";
    assert!(check("oss:getobject", "*", "oss:GetObject", mine));
    assert!(check("oss:Get*", "acs:oss:*:*:box/*", "oss:GetObject", mine));
    assert!(check("*", "acs:oss:::box/?.txt", "oss:GetObject", mine));
    assert!(!check("oss:Get*", "acs:oss:*:*:Box/*", "oss:GetObject", mine));
    assert!(!check("oss:Get?", "*", "oss:GetObject", mine));
    assert!(!check("oss:Get*", "acs:oss:*:2000000000000002:box/*", "oss:GetObject", mine));
}

#[test]
fn a_resource_without_region_is_covered_whatever_region_the_pattern_names() {
    assert!(resource("acs:oss:ap-southeast-5:*:box", "acs:oss:*:1:box"));
    assert!(resource("acs:oss:*:1:box", "acs:oss:ap-southeast-5:1:box"));
    assert!(!resource("acs:oss:cn-x:1:box", "acs:oss:ap-southeast-5:1:box"));
    assert!(!resource("acs:oss:*:2:box", "acs:oss:*::box"));
    assert!(resource("acs:oss:*", "acs:oss:*:1:box/a:b"));
    assert!(resource("acs:ram:*:1:user/*", "acs:ram:*:1:user/a:b"));
}

#[test]
fn a_denial_outweighs_every_allowance_wherever_it_stands() {
    let (allow, deny) = (one("Allow", "*", "*"), one("Deny", "oss:Delete*", "acs:oss:*:*:keep/*"));
    for order in [[allow.as_str(), &deny], [deny.as_str(), &allow]] {
        assert_eq!(
            ask(&order, "oss:DeleteObject", "acs:oss:*:1:keep/a", &[]),
            Decision::ExplicitDeny
        );
        assert_eq!(ask(&order, "oss:DeleteObject", "acs:oss:*:1:rest/a", &[]), Decision::Allow);
    }
    assert_eq!(ask(&[], "oss:GetObject", "acs:oss:*:1:a", &[]), Decision::ImplicitDeny);
    assert_eq!(ask(&[&deny], "oss:GetObject", "acs:oss:*:1:a", &[]), Decision::ImplicitDeny);
}

#[test]
fn negated_actions_and_resources_are_all_but_these() {
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","NotAction":["ram:*","sts:*"],"NotResource":"acs:oss:*:*:secret*"}]}"#;
    assert_eq!(ask(&[policy], "oss:GetObject", "acs:oss:*:1:open/a", &[]), Decision::Allow);
    assert_eq!(ask(&[policy], "ram:GetUser", "acs:ram:*:1:user/a", &[]), Decision::ImplicitDeny);
    assert_eq!(
        ask(&[policy], "oss:GetObject", "acs:oss:*:1:secret/a", &[]),
        Decision::ImplicitDeny
    );
}

#[test]
fn all_conditions_of_a_statement_must_hold() {
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":"*","Condition":{
        "IpAddress":{"acs:SourceIp":["10.0.0.0/8","192.168.1.7"]},"Bool":{"acs:SecureTransport":true}}}]}"#;
    let check = |ip: &str, secure: &str| {
        ask(
            &[policy],
            "oss:GetObject",
            "acs:oss:*:1:a",
            &[("acs:sourceip", ip), ("acs:SecureTransport", secure)],
        )
    };
    assert_eq!(check("10.9.8.7", "true"), Decision::Allow);
    assert_eq!(check("::ffff:192.168.1.7", "true"), Decision::Allow);
    assert_eq!(check("10.9.8.7", "false"), Decision::ImplicitDeny);
    assert_eq!(check("11.0.0.1", "true"), Decision::ImplicitDeny);
}

#[test]
fn operators_compare_as_their_names_say() {
    let table: &[(&str, &[&str], &[&str], bool)] = &[
        ("StringEquals", &["a", "b"], &["b"], true),
        ("StringEquals", &["a"], &["A"], false),
        ("StringNotEquals", &["a", "b"], &["b"], false),
        ("StringNotEquals", &["a", "b"], &["c"], true),
        ("StringEqualsIgnoreCase", &["a"], &["A"], true),
        ("StringNotEqualsIgnoreCase", &["a"], &["A"], false),
        ("StringLike", &["home/*"], &["home/a"], true),
        ("StringLike", &["home/*"], &["x", "home/a"], true),
        ("StringNotLike", &["home/*"], &["home/a"], false),
        ("NumericEquals", &["10"], &["10"], true),
        ("NumericNotEquals", &["10"], &["10"], false),
        ("NumericLessThan", &["10"], &["9"], true),
        ("NumericLessThan", &["10"], &["10"], false),
        ("NumericLessThanEquals", &["10"], &["10"], true),
        ("NumericGreaterThan", &["-1"], &["0"], true),
        ("NumericGreaterThanEquals", &["10"], &["9"], false),
        ("NumericEquals", &["10"], &["ten"], false),
        ("DateLessThan", &["2026-01-02T00:00:00+07:00"], &["2026-01-01T16:59:59Z"], true),
        ("DateLessThan", &["2026-01-02T00:00:00+07:00"], &["2026-01-01T17:00:00Z"], false),
        ("DateLessThanEquals", &["2026-01-02T00:00:00+07:00"], &["2026-01-01T17:00:00Z"], true),
        ("DateGreaterThan", &["2026-01-02T00:00:00-01:30"], &["2026-01-02T01:30:01Z"], true),
        ("DateGreaterThanEquals", &["2026-01-02T00:00:00Z"], &["2026-01-01T00:00:00Z"], false),
        ("DateEquals", &["2026-01-02T00:00:00.500Z"], &["2026-01-02T00:00:00.500Z"], true),
        ("DateNotEquals", &["2026-01-02T00:00:00Z"], &["2026-01-02T00:00:00Z"], false),
        ("Bool", &["True"], &["true"], true),
        ("Bool", &["false"], &["true"], false),
        ("IpAddress", &["2001:db8::/32"], &["2001:db8:1::9"], true),
        ("IpAddress", &["0.0.0.0/0"], &["203.0.113.9"], true),
        ("IpAddress", &["0.0.0.0/0"], &["2001:db8::1"], false),
        ("IpAddress", &["::/0"], &["2001:db8::1"], true),
        ("NotIpAddress", &["10.0.0.0/8"], &["10.1.1.1"], false),
        ("NotIpAddress", &["10.0.0.0/8"], &["11.1.1.1"], true),
    ];
    for (operator, wanted, given, expected) in table {
        assert_eq!(holds(operator, wanted, given), *expected, "{operator} {wanted:?} {given:?}");
        assert_eq!(
            holds(&format!("{operator}IfExists"), wanted, given),
            *expected,
            "{operator}IfExists"
        );
    }
    let tried: std::collections::HashSet<_> = table.iter().map(|row| row.0).collect();
    assert_eq!(tried.len(), OPERATORS.len(), "an operator has no row");
}

#[test]
fn without_a_value_only_negated_and_if_exists_hold() {
    for operator in &OPERATORS {
        let wanted = match operator.name {
            name if name.starts_with("Numeric") => "1",
            name if name.starts_with("Date") => "2026-01-01T00:00:00Z",
            "Bool" => "true",
            name if name.contains("Ip") => "10.0.0.1",
            _ => "a",
        };
        assert_eq!(
            holds(operator.name, &[wanted], &[]),
            operator.name.contains("Not"),
            "{}",
            operator.name
        );
        assert!(holds(&format!("{}IfExists", operator.name), &[wanted], &[]), "{}", operator.name);
    }
}

#[test]
fn a_mistake_in_a_document_is_told_to_its_author() {
    let check = |text: &str, part: &str| {
        let error = Document::parse(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}\nsays: {error}\nand not: {part}");
    };
    let with = |statement: &str| format!(r#"{{"Version":"1","Statement":[{statement}]}}"#);
    check("", "EOF");
    check("[]", "a list cannot stand here");
    check(r#"["1",[]]"#, "a list cannot stand here");
    check(r#"{"Statement":[]}"#, "a list must not be empty");
    check(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        "must be \"1\"",
    );
    check(&with(r#"["Allow","*"]"#), "a list cannot stand here");
    check(&with(r#"{"Effect":"Maybe","Action":"*","Resource":"*"}"#), "unknown variant `Maybe`");
    check(&with(r#"{"Effect":"Allow","Resource":"*"}"#), "either Action or NotAction");
    check(
        &with(r#"{"Effect":"Allow","Action":"*","NotAction":"a:b","Resource":"*"}"#),
        "either Action or NotAction",
    );
    check(&with(r#"{"Effect":"Allow","Action":"*"}"#), "either Resource or NotResource");
    check(&with(r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#), "must not be empty");
    check(
        &with(r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#),
        "`GetObject` must be",
    );
    check(&with(r#"{"Effect":"Allow","Action":"*","Resource":"box/*"}"#), "`box/*` must be");
    check(
        &with(r#"{"Effect":"Allow","Action":"*","Resource":"*","Sid":"x"}"#),
        "unknown field `Sid`",
    );
    check(
        &with(r#"{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}"#),
        "duplicate field `Effect`",
    );
    check(
        &with(r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"RAM":"*"}}"#),
        "trust policies only",
    );
    let when = |condition: &str| {
        with(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#
        ))
    };
    check(&when("{}"), "an object must not be empty");
    check(&when(r#"{"Like":{"acs:SourceIp":"a"}}"#), "no condition operator `Like`");
    check(&when(r#"{"ForAnyValue:StringLike":{"a:b":"a"}}"#), "set operators are not part");
    check(&when(r#"{"Bool":{"SecureTransport":true}}"#), "must be `service:name`");
    check(&when(r#"{"Bool":{"a:b":"yes"}}"#), "`yes` is not true or false");
    check(&when(r#"{"IpAddress":{"a:b":"10.0.0.0/33"}}"#), "`10.0.0.0/33` is not an IP address");
    check(&when(r#"{"NumericEquals":{"a:b":1.5}}"#), "floating point");
    check(&when(r#"{"DateEquals":{"a:b":"yesterday"}}"#), "`yesterday` is not a time");
    check(&when(r#"{"Bool":{"a:b":true},"Bool":{"a:c":true}}"#), "`Bool` stands twice");
    check(&when(r#"{"StringEquals":{"a:b":"x","a:b":"y"}}"#), "`a:b` stands twice");
    check(&" ".repeat(DOCUMENT_MAX + 1), "6144 characters at most");
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for deep in ["[".repeat(6000), "{\"Statement\":".repeat(400)] {
        assert!(Document::parse(&deep).is_err());
        assert!(Document::parse(&format!(r#"{{"Version":"1","Statement":{deep}"#)).is_err());
    }
}

#[test]
fn a_trust_policy_names_whom_it_trusts() {
    let trust = |principal: &str| {
        let text = format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal}}}]}}"#
        );
        Document::parse_trust(&text).map_err(|error| error.to_string())
    };
    let trusts = |principal: &str, asker: Asker<'_>| {
        decide(&[trust(principal).unwrap()], "sts:AssumeRole", "acs:ram::9:role/x", &[], asker)
            == Decision::Allow
    };
    let alice = user("alice");
    let ops = Asker { party: Party::Role { id: "3", name: "ops" }, ..alice };
    assert!(trusts(r#"{"RAM":"acs:ram::1000000000000001:root"}"#, alice));
    assert!(trusts(
        r#"{"RAM":["acs:ram::1000000000000001:user/bob","acs:ram::1000000000000001:user/alice"]}"#,
        alice
    ));
    assert!(trusts(r#"{"RAM":"acs:ram::1000000000000001:role/ops"}"#, ops));
    assert!(!trusts(r#"{"RAM":"acs:ram::1000000000000001:role/ops"}"#, alice));
    assert!(!trusts(r#"{"RAM":"acs:ram::1000000000000001:user/bob"}"#, alice));
    assert!(!trusts(r#"{"RAM":"acs:ram::2000000000000002:root"}"#, alice));
    assert!(!trusts(r#"{"Service":"ecs.aliyuncs.com"}"#, alice));
    for bad in [
        r#""*""#,
        r#"{"RAM":"*"}"#,
        r#"{"RAM":"acs:ram::*:root"}"#,
        r#"{"RAM":"acs:ram::1:user/*"}"#,
        r#"{"Federated":"x"}"#,
        r#"{"X":"y"}"#,
    ] {
        assert!(trust(bad).is_err(), "{bad}");
    }
    assert!(Document::parse_trust(&one("Allow", "*", "*")).is_err());
}

/// Wildcards by the book: exponential, and so only for short texts.
fn naive_glob(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| naive_glob(rest, &text[taken..])),
        Some(('?', rest)) => !text.is_empty() && naive_glob(rest, &text[1..]),
        Some((literal, rest)) => text.first() == Some(literal) && naive_glob(rest, &text[1..]),
    }
}

#[derive(Clone, Debug)]
struct Rule {
    effect: Effect,
    not_action: bool,
    action: String,
    not_resource: bool,
    name: String,
    ip: Option<u8>,
}

fn rule() -> impl Strategy<Value = Rule> {
    let effect = prop_oneof![Just(Effect::Allow), Just(Effect::Deny)];
    let parts = (
        effect,
        any::<bool>(),
        "[ab*?]{1,3}",
        any::<bool>(),
        "[xy/*?]{1,4}",
        prop::option::of(0..4u8),
    );
    parts.prop_map(|(effect, not_action, action, not_resource, name, ip)| Rule {
        effect,
        not_action,
        action,
        not_resource,
        name,
        ip,
    })
}

fn json_of(rules: &[Rule]) -> String {
    let statement = |rule: &Rule| {
        let mut out = serde_json::json!({"Effect": rule.effect});
        out[if rule.not_action { "NotAction" } else { "Action" }] =
            format!("s:{}", rule.action).into();
        out[if rule.not_resource { "NotResource" } else { "Resource" }] =
            serde_json::json!([format!("acs:s:*:*:{}", rule.name)]);
        if let Some(ip) = rule.ip {
            out["Condition"] =
                serde_json::json!({"IpAddress": {"acs:SourceIp": format!("10.0.0.{ip}")}});
        }
        out
    };
    let statements: Vec<_> = rules.iter().map(statement).collect();
    serde_json::json!({"Version": "1", "Statement": statements}).to_string()
}

fn naive_decision(rules: &[Rule], action: &str, name: &str, ip: u8) -> Decision {
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    let applies = |rule: &&Rule| {
        naive_glob(&chars(&rule.action), &chars(action)) != rule.not_action
            && naive_glob(&chars(&rule.name), &chars(name)) != rule.not_resource
            && rule.ip.is_none_or(|wanted| wanted == ip)
    };
    let found: Vec<_> = rules.iter().filter(applies).map(|rule| rule.effect).collect();
    match () {
        () if found.contains(&Effect::Deny) => Decision::ExplicitDeny,
        () if found.contains(&Effect::Allow) => Decision::Allow,
        () => Decision::ImplicitDeny,
    }
}

proptest! {
    #[test]
    fn the_matcher_agrees_with_the_naive_one(pattern in "[abé*?]{0,8}", text in "[abé]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(glob(&pattern, &text, false), naive_glob(&chars(&pattern), &chars(&text)));
        prop_assert_eq!(glob(&pattern.to_ascii_uppercase(), &text, true), glob(&pattern, &text, false));
    }

    #[test]
    fn the_matcher_finds_segments_that_repeat_themselves(
        pattern in r"[ab]{0,1}\*[ab]{1,6}\*[ab?]{1,4}\*[ab]{0,2}", text in "[ab]{0,24}",
    ) {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(glob(&pattern, &text, false), naive_glob(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn the_evaluator_agrees_with_the_naive_one(
        rules in prop::collection::vec(rule(), 1..5), action in "[ab]{1,3}", name in "[xy/]{1,4}", ip in 0..4u8,
    ) {
        let document = Document::parse(&json_of(&rules)).unwrap();
        let (asked, arn, from) = (format!("s:{action}"), format!("acs:s:*:1:{name}"), format!("10.0.0.{ip}"));
        let decision = decide(&[document], &asked, &arn, &[("acs:SourceIp", &from)], user("alice"));
        prop_assert_eq!(decision, naive_decision(&rules, &action, &name, ip));
    }

    #[test]
    fn a_rendered_document_reads_back_the_same(rules in prop::collection::vec(rule(), 1..5), at in 0..21usize) {
        let document = Document::parse(&json_of(&rules)).unwrap();
        prop_assert_eq!(Document::parse(&document.render()).unwrap(), document);
        let operator = OPERATORS[at].name;
        let value = match operator {
            name if name.starts_with("Numeric") => "-7",
            name if name.starts_with("Date") => "2026-01-02T03:04:05.678+08:00",
            "Bool" => "TRUE",
            name if name.contains("Ip") => "2001:db8::/32",
            _ => "a*",
        };
        let text = format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Deny","Action":"s:*","Resource":"*","Condition":{{"{operator}IfExists":{{"a:b":["{value}"],"a:c":"{value}"}}}}}}]}}"#
        );
        let document = Document::parse(&text).unwrap();
        prop_assert_eq!(Document::parse(&document.render()).unwrap(), document);
        let trust = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["x"],"RAM":["acs:ram::1:root","acs:ram::1:user/a","acs:ram::1:role/b"]}}]}"#;
        let trust = Document::parse_trust(trust).unwrap();
        prop_assert_eq!(Document::parse_trust(&trust.render()).unwrap(), trust);
    }

    #[test]
    fn the_parser_takes_any_text(text: String) {
        let _ = (Document::parse(&text), Document::parse_trust(&text));
    }

    #[test]
    fn the_parser_takes_damaged_documents(rules in prop::collection::vec(rule(), 1..3), cut: prop::sample::Index, with: char) {
        let text = json_of(&rules);
        let mut chars: Vec<char> = text.chars().collect();
        let at = cut.index(chars.len());
        chars[at] = with;
        let _ = Document::parse(&chars.iter().collect::<String>());
        let _ = Document::parse(&chars[..at].iter().collect::<String>());
    }

    #[test]
    fn conditions_take_any_value(operator in 0..21usize, wanted: String, given: String) {
        if let Ok(condition) = Condition::new(OPERATORS[operator].name, "a:b", &[wanted]) {
            condition.holds(&[Cow::Owned(given)]);
        }
    }
}

#[test]
fn a_spiteful_pattern_takes_steps_in_proportion_to_pattern_and_text() {
    let check = |pattern: &str, text: &str, budget: usize| {
        let steps = Cell::new(0);
        let count = |one: char, other: char| {
            steps.set(steps.get() + 1);
            one == other
        };
        assert!(!glob_by(pattern, text, &count), "{pattern}");
        assert!(steps.get() <= budget, "{} steps, more than {budget}: {pattern}", steps.get());
    };
    let text = "a".repeat(6000);
    let linear = |pattern: &str| check(pattern, &text, 3 * (pattern.len() + text.len()));
    linear(&format!("{}b", "*a".repeat(2000)));
    linear(&format!("*{}b", "a".repeat(3000)));
    linear(&format!("*{}b*", "a".repeat(3000)));
    linear(&format!("{}*", "*aaab".repeat(600)));
    linear(&format!("*{}*b*", "aa*".repeat(1000)));
    let jokers = format!("?{}b", "a".repeat(JOKER_SEGMENT_MAX - 2));
    check(&format!("*{}*", jokers), &text, JOKER_SEGMENT_MAX * text.len());
    check(&format!("*{}*{}*", "a?*".repeat(1000), jokers), &text, JOKER_SEGMENT_MAX * text.len());
}

#[test]
fn a_long_segment_with_a_question_mark_is_refused_only_between_stars() {
    let check = |segment: &str, fits: bool| {
        let action = |pattern: &str| Document::parse(&one("Allow", pattern, "*")).is_ok();
        let resource = |pattern: &str| Document::parse(&one("Allow", "*", pattern)).is_ok();
        let like = |pattern: &str| {
            Condition::new("StringNotLikeIfExists", "acs:UserAgent", &[pattern.to_owned()]).is_ok()
        };
        assert_eq!(action(&format!("oss:*{segment}*")), fits, "{segment}");
        assert_eq!(resource(&format!("acs:oss:*:*:box/*{segment}*")), fits, "{segment}");
        assert_eq!(like(&format!("*{segment}*")), fits, "{segment}");
        assert!(action(&format!("oss:{segment}*")), "{segment}");
        assert!(resource(&format!("acs:oss:::box/{segment}*{segment}")), "{segment}");
        assert!(like(segment), "{segment}");
        let values = [format!("*{segment}*")];
        assert!(Condition::new("StringEquals", "acs:UserAgent", &values).is_ok(), "no pattern");
    };
    check(&"a".repeat(100), true);
    check(&format!("{}?", "é".repeat(JOKER_SEGMENT_MAX - 1)), true);
    check(&format!("{}?", "é".repeat(JOKER_SEGMENT_MAX)), false);
}
