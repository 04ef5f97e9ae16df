//! What an operator sees of the program.

use std::process::Command;

use cli::object::{Body, Dialect};

use crate::server::{self, Server};

#[test]
fn a_second_program_on_the_same_directory_is_refused_by_name() {
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let first = Server::start(&dir, &[]);
    let mut second = server::spawn(&dir, server::port_base(), &[]);
    assert!(!second.wait().unwrap().success());
    let told = server::log(&dir);
    assert!(told.contains(&format!("process id {}", first.child.id())), "{told}");
    first.stop();
}

#[test]
fn a_stop_drains_and_a_start_goes_on_where_it_was() {
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let first = Server::start(&dir, &[]);
    let oss = first.store(Dialect::Oss);
    oss.create_bucket("kept").unwrap();
    oss.put("kept", "a/b", Body::Bytes(b"through a restart"), None).unwrap();
    let key = std::fs::read(dir.join("root-key.json")).unwrap();
    first.stop();
    assert!(!dir.join("cloud.json").exists(), "a stopped cloud does not say that it answers");
    let second = Server::start(&dir, &[]);
    let mut read = Vec::new();
    second.store(Dialect::S3).get("kept", "a/b", &mut read).unwrap();
    assert_eq!(read, b"through a restart");
    assert_eq!(std::fs::read(dir.join("root-key.json")).unwrap(), key);
    second.stop();
    let told = server::log(&dir);
    assert!(!told.contains("ERROR") && !told.contains("WARN"), "{told}");
}

#[test]
fn secrets_are_readable_by_their_owner_only_and_never_logged() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let server = Server::start(&dir, &[]);
    let secrets =
        ["root-key.json", "master.key", "log.key", "provider.key", "tenant.key", "tls/ca-key.pem"];
    for file in secrets {
        let mode = std::fs::metadata(dir.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let made = server.api().call("2015-05-01", "CreateAccessKey", &[]).unwrap();
    let secret = made["AccessKey"]["AccessKeySecret"].as_str().unwrap().to_owned();
    server.stop();
    assert!(!server::log(&dir).contains(&secret));
    for file in ["cloud.db", "cloud.db-wal"] {
        let bytes = std::fs::read(dir.join(file)).unwrap_or_default();
        assert!(
            !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
            "the secret is bare in {file}"
        );
    }
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in [
        "serve",
        "check-config",
        "engine",
        "call",
        "oss",
        "status",
        "verify",
        "usage",
        "audit",
        "configure",
        "demo",
        "agreement",
        "access",
        "receipt",
        "bill",
        "witness",
        "mirror",
        "engine",
        "node",
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_awan")).args([verb, "--help"]).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success() && text.contains("awan "), "{verb}: {text}");
    }
}

#[test]
fn a_directory_is_refused_without_its_own_database() {
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let first = Server::start(&dir, &[]);
    first.store(Dialect::Oss).create_bucket("kept").unwrap();
    first.store(Dialect::Oss).put("kept", "a", Body::Bytes(b"x"), None).unwrap();
    first.stop();
    let segments = || std::fs::read_dir(dir.join("oss/segments")).unwrap().count();
    let before = segments();
    std::fs::rename(dir.join("cloud.db"), home.path().join("away.db")).unwrap();
    assert!(!server::spawn(&dir, server::port_base(), &[]).wait().unwrap().success());
    assert!(server::log(&dir).contains("not the one that they belong to"), "{}", server::log(&dir));
    assert_eq!(segments(), before);
    // Another cloud's database, beside these keys.
    let other = home.path().join("other");
    Server::start(&other, &[]).stop();
    std::fs::copy(other.join("cloud.db"), dir.join("cloud.db")).unwrap();
    assert!(!server::spawn(&dir, server::port_base(), &[]).wait().unwrap().success());
    assert!(server::log(&dir).contains("belongs to the cloud of account"), "{}", server::log(&dir));
    std::fs::rename(home.path().join("away.db"), dir.join("cloud.db")).unwrap();
    let again = Server::start(&dir, &[]);
    let mut read = Vec::new();
    again.store(Dialect::S3).get("kept", "a", &mut read).unwrap();
    assert_eq!(read, b"x");
    again.stop();
}
