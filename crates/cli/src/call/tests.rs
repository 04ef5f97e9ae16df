#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use proptest::prelude::*;

/// As `awan` reads it: the verb is one of several.
#[derive(Debug, Parser)]
#[command(name = "awan")]
struct Program {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Call(CallArgs),
}

fn parse(line: &str) -> Result<(Call, CallOptions)> {
    let words = ["awan", "call"].into_iter().chain(line.split_whitespace());
    let Verb::Call(args) = Program::try_parse_from(words)?.verb;
    read(args.words, args.options)
}

fn check(line: &str, version: &str, action: &str, params: &[(&str, &str)]) -> CallOptions {
    let (call, options) = parse(line).unwrap();
    let params =
        params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(
        call,
        Call { version: version.to_owned(), action: action.to_owned(), params },
        "{line}"
    );
    options
}

#[test]
fn parameters_are_sent_as_they_are_written() {
    check("sts GetCallerIdentity", "2015-04-01", "GetCallerIdentity", &[]);
    check(
        "ecs RunInstances --Amount 2 --Tag.1.Key env --Tag.1.Value= --Offset -1 --Odd=--x=y",
        "2014-05-26",
        "RunInstances",
        &[
            ("Amount", "2"),
            ("Tag.1.Key", "env"),
            ("Tag.1.Value", ""),
            ("Offset", "-1"),
            ("Odd", "--x=y"),
        ],
    );
}

#[test]
fn a_hidden_parameter_is_named_and_not_given() {
    let line = "rds ResetAccountPassword --AccountName app --hidden AccountPassword";
    let options = check(line, "2014-08-15", "ResetAccountPassword", &[("AccountName", "app")]);
    assert_eq!(options.hidden.as_deref(), Some("AccountPassword"));
    let both = parse(&format!("{line} --AccountPassword=x")).err().unwrap().to_string();
    assert!(both.contains("AccountPassword is given and hidden"), "{both}");
}

#[test]
fn own_flags_may_stand_before_and_after_the_action() {
    let options = check(
        "--data-dir one RAM ListUsers --MaxItems 5",
        "2015-05-01",
        "ListUsers",
        &[("MaxItems", "5")],
    );
    assert_eq!(options.place.data_dir, Some("one".into()));
    let options = check(
        "ram ListUsers --MaxItems 5 --region id --output table --data-dir two",
        "2015-05-01",
        "ListUsers",
        &[("MaxItems", "5")],
    );
    assert_eq!(options.place.data_dir, Some("two".into()));
    assert_eq!(options.place.region.as_deref(), Some("id"));
    assert_eq!(options.output, Some(Format::Table));
}

#[test]
fn another_version_is_taken_and_needs_no_known_product() {
    check(
        "ess DescribeScalingGroups --version 2022-02-22",
        "2022-02-22",
        "DescribeScalingGroups",
        &[],
    );
    check("--version 2030-01-01 novel DoIt", "2030-01-01", "DoIt", &[]);
}

#[test]
fn what_does_not_make_a_call_is_explained() {
    let cases = [
        ("ram", "required arguments were not provided"),
        ("nothing DoIt", "\"nothing\" is not a product"),
        ("ram CreateUser --UserName", "the parameter UserName has no value"),
        ("ram CreateUser --UserName --DisplayName x", "the parameter UserName has no value"),
        ("ram CreateUser --UserName a --UserName b", "the parameter UserName is given twice"),
        ("ram CreateUser --username a", "unexpected argument '--username'"),
        ("ram CreateUser stray", "unexpected argument 'stray'"),
    ];
    for (line, reason) in cases {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(reason), "{line}: {error}");
    }
}

#[test]
fn every_known_product_has_one_version() {
    for (name, version) in VERSIONS {
        assert_eq!(version_of(&name.to_uppercase()).unwrap(), *version);
        assert_eq!(VERSIONS.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
    }
}

proptest! {
    #[test]
    fn any_words_are_taken_without_panic(words: Vec<String>) {
        let _ = read(words, CallOptions::default());
    }

    #[test]
    fn any_value_arrives_as_it_was_given(value: String) {
        let words = vec!["ram".to_owned(), "CreateUser".to_owned(), format!("--UserName={value}")];
        let (call, _) = read(words, CallOptions::default()).unwrap();
        prop_assert_eq!(call.params, vec![("UserName".to_owned(), value)]);
    }
}
