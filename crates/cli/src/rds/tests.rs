#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::connect::Target;
use super::*;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    args: RdsArgs,
}

fn parsed(line: &str) -> Result<RdsArgs, clap::Error> {
    Program::try_parse_from(std::iter::once("rds").chain(line.split(' '))).map(|it| it.args)
}

#[test]
fn an_instance_is_found_by_its_id_or_by_a_name_that_only_it_has() {
    let one = |id: &str, name: &str| json!({"DBInstanceId": id, "DBInstanceDescription": name});
    let all = [one("pgm-1", "arsip"), one("pgm-2", "pemilih"), one("pgm-3", "pemilih")];
    assert_eq!(pick(&all, "arsip").unwrap(), "pgm-1");
    assert_eq!(pick(&all, "pgm-3").unwrap(), "pgm-3");
    assert!(pick(&all, "pemilih").unwrap_err().to_string().contains("2 instances"));
    assert!(pick(&all, "").unwrap_err().to_string().contains("no instance"));
}

#[test]
fn a_connection_string_has_the_name_the_address_and_the_authority() {
    let target = Target {
        host: "pgm-1.pg.rds.awan.test".to_owned(),
        address: Some("127.0.0.1".to_owned()),
        port: "7105".to_owned(),
        authority: Some(PathBuf::from("/data dir/ca.pem")),
    };
    assert_eq!(
        target.conninfo("app", "it's"),
        "host=pgm-1.pg.rds.awan.test hostaddr=127.0.0.1 port=7105 user=app dbname='it\\'s' sslmode=verify-full \
         sslrootcert='/data dir/ca.pem'"
    );
    assert_eq!(
        target.url("app", "a/b"),
        "postgresql://app@pgm-1.pg.rds.awan.test:7105/a%2Fb?sslmode=verify-full&hostaddr=127.0.0.1\
         &sslrootcert=%2Fdata%20dir%2Fca.pem"
    );
}

#[test]
fn words_after_two_dashes_are_psqls_and_no_password_is_taken_from_the_line() {
    assert!(parsed("connect arsip --account app -- -c select --csv").is_ok());
    assert!(parsed("connect arsip -c select").is_err());
    assert!(parsed("create arsip --account app --database arsip --allow 10.0.0.0/8").is_ok());
    assert!(parsed("create arsip --database arsip").is_err(), "a database has an owner");
    assert!(parsed("create arsip --account app --password rahasia").is_err());
    assert!(parsed("restore arsip --to 2026-11-23T20:00:00Z --as lama").is_ok());
    assert!(parsed("restore arsip").is_err(), "to when?");
    assert!(parsed("restore arsip --to kemarin").is_err());
    assert!(parsed("logs arsip --kind slow --hours 24").is_ok());
    assert!(parsed("backup arsip --list --output json").is_ok());
}

#[test]
fn waiting_ends_when_it_is_done_or_cannot_be() {
    let mut asked = 0;
    let done = wait("it", 1, || {
        asked += 1;
        Ok(if asked < 3 { Step::Now("Creating".to_owned()) } else { Step::Done })
    });
    assert!(done.is_ok() && asked == 3);
    let error = wait("it", 0, || Ok(Step::Now("Creating".to_owned()))).unwrap_err();
    assert!(error.to_string().contains("Creating"), "{error}");
    let error = wait("it", 1, || Err(Error::Corrupt("no".to_owned()))).unwrap_err();
    assert!(format!("{error:#}").contains("wait for it"), "{error:#}");
}
