//! An instance on a node, from nothing to nothing.
#![allow(clippy::disallowed_methods, reason = "tests run psql and kill")]
#![allow(clippy::print_stdout, reason = "how long things take is for people to read")]

use std::process::{Command, Stdio};
use std::time::Instant;

use rds::node::api::Phase;
use rds::node::error::Error;

use crate::node_lab::{Lab, WAIT, ask, directory, psql, serving, spec, sql, uid_of, until};

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_made_in_a_moment_and_nothing_of_it_stays() {
    let lab = Lab::new();
    // The first one makes the template.
    let first = lab.serve(&spec("pgm-first")).await;
    let begin = Instant::now();
    let second = lab.serve(&spec("pgm-second")).await;
    assert_eq!(ask(&second, "SELECT 6 * 7"), "42");
    println!(
        "made and asked in {:?}: {:?} (first: {:?})",
        begin.elapsed(),
        second.made,
        first.made
    );
    assert_eq!(second.phase, Phase::Serving);
    assert!(second.writable && second.port != first.port);
    assert_ne!(second.system_identifier, first.system_identifier, "each has its own identity");
    assert!(second.lsn > 0);
    until("its size", async || {
        (lab.observed(&second.id).await.storage_bytes > 16 << 20).then_some(())
    })
    .await;
    let parts: Vec<&str> = second.made.iter().map(|(part, _)| part.as_str()).collect();
    assert_eq!(parts, ["template", "data", "start", "roles"]);
    let (uid, other) = (uid_of(second.pid).unwrap(), uid_of(first.pid).unwrap());
    assert!(uid != 0 && uid != other, "each has a user of its own");
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", second.pid)).unwrap();
    assert_eq!(groups.contains("awan-db-"), second.confinement != "advisory", "{groups}");

    lab.node.delete("pgm-second", 1, WAIT).await.unwrap();
    assert_eq!(uid_of(second.pid), None);
    assert!(!lab.dir.path().join("instances/pgm-second").exists());
    assert!(lab.node.keeper("pgm-second").is_err());
    assert_eq!(groups_of(&groups), Vec::<String>::new());
    lab.node.delete("pgm-second", 1, WAIT).await.unwrap();
    lab.node.delete("pgm-never", 1, WAIT).await.unwrap();
    lab.end().await;
}

/// Its user is given to another instance one day.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_left_running_goes_with_the_instance() {
    let lab = Lab::new();
    let server = lab.serve(&spec("pgm-stray")).await;
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", server.pid)).unwrap();
    let mut stray = Command::new("sleep").arg("600").spawn().unwrap();
    let joined = groups.lines().filter(|line| line.contains("awan-db-")).filter(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap(), parts.next().unwrap());
        let door = format!("/sys/fs/cgroup/{controllers}{group}/cgroup.procs");
        std::fs::write(door, stray.id().to_string()).is_ok()
    });
    let joined = joined.count();
    lab.node.delete("pgm-stray", 1, WAIT).await.unwrap();
    let ended = stray.try_wait().unwrap();
    stray.kill().unwrap();
    stray.wait().unwrap();
    assert_eq!(ended.is_some(), joined > 0, "{groups}");
    lab.end().await;
}

/// Which of these control groups (the text of `/proc/PID/cgroup`) of servers there are still.
fn groups_of(text: &str) -> Vec<String> {
    let there = |dir: &str| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let left = there("/sys/fs/cgroup/memory").chain(there("/sys/fs/cgroup"));
    left.map(|it| it.file_name().into_string().unwrap())
        .filter(|name| name.starts_with("awan-db-") && text.contains(name))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_comes_back_with_everything_committed() {
    let lab = Lab::new();
    let before = lab.serve(&spec("pgm-crash")).await;
    ask(&before, "CREATE TABLE kept AS SELECT 1 AS one");
    kill("-9", before.pid);
    let begin = Instant::now();
    let after = serving(&lab, "pgm-crash", before.pid).await;
    println!("back after {:?}", begin.elapsed());
    assert_eq!(after.port, before.port);
    assert_eq!(ask(&after, "SELECT one FROM kept"), "1");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_restarts_once_for_each_count_and_stops_and_starts() {
    let lab = Lab::new();
    let mut spec = spec("pgm-restart");
    let first = lab.serve(&spec).await;
    spec.generation = 2;
    spec.parameters.insert("work_mem".to_owned(), "7MB".to_owned());
    spec.parameters.insert("max_prepared_transactions".to_owned(), "5".to_owned());
    spec.parameters.insert("port".to_owned(), "1".to_owned());
    let second = lab.serve(&spec).await;
    assert_eq!(second.pid, first.pid, "nothing restarts unasked");
    assert_eq!(ask(&second, "SHOW work_mem"), "7MB");
    assert_eq!(second.pending_restart, ["max_prepared_transactions"]);
    (spec.generation, spec.restarts) = (3, 1);
    let third = lab.serve(&spec).await;
    assert_ne!(third.pid, first.pid);
    assert!(third.pending_restart.is_empty() && third.port == first.port);
    assert_eq!(lab.serve(&spec).await.pid, third.pid, "once");
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", third.pid)).unwrap();
    assert_eq!(groups_of(&groups).is_empty(), third.confinement == "advisory");
    (spec.generation, spec.running) = (4, false);
    let stopped = lab.put(&spec).await;
    assert_eq!((stopped.phase, stopped.pid, stopped.generation), (Phase::Stopped, 0, 4));
    assert_eq!(groups_of(&groups), Vec::<String>::new());
    (spec.generation, spec.running) = (5, true);
    assert_eq!(ask(&lab.serve(&spec).await, "SHOW max_prepared_transactions"), "5");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_port_was_taken_while_it_was_stopped_starts_on_another() {
    let lab = Lab::new();
    let mut spec = spec("pgm-port");
    let first = lab.serve(&spec).await;
    (spec.generation, spec.running) = (2, false);
    lab.put(&spec).await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", first.port)).unwrap();
    (spec.generation, spec.running) = (3, true);
    let second = lab.serve(&spec).await;
    assert_ne!(second.port, first.port);
    assert_eq!(ask(&second, "SELECT 1"), "1");
    drop(taken);
    (spec.generation, spec.restarts) = (4, 1);
    assert_eq!(lab.serve(&spec).await.port, second.port, "and keeps that");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_words_are_refused() {
    let lab = Lab::new();
    let mut new = spec("pgm-older");
    (new.term, new.generation) = (3, 7);
    lab.serve(&new).await;
    let mut older = new.clone();
    older.generation = 6;
    let put = lab.node.put("pgm-older", older.clone(), WAIT).await;
    assert!(matches!(put, Err(Error::Conflict(_))), "{put:?}");
    (older.term, older.generation) = (2, 9);
    assert!(matches!(lab.node.put("pgm-older", older, WAIT).await, Err(Error::Conflict(_))));
    assert!(matches!(lab.node.delete("pgm-older", 2, WAIT).await, Err(Error::Conflict(_))));
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_begins_again_takes_up_what_it_had() {
    let lab = Lab::new();
    let before = lab.serve(&spec("pgm-again")).await;
    ask(&before, "CREATE TABLE kept AS SELECT 1 AS one");
    lab.node.close().await;
    assert_eq!(uid_of(before.pid), None, "a node leaves no server behind");
    let Lab { dir, node } = lab;
    drop(node);
    let lab = until("the lock", async || {
        let free = rds::node::home::Home::open(dir.path()).unwrap().lock().is_ok();
        free.then_some(())
    });
    lab.await;
    let lab = Lab::at(dir);
    let after = serving(&lab, "pgm-again", 0).await;
    assert_eq!(after.port, before.port);
    assert_eq!(ask(&after, "SELECT one FROM kept"), "1");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_made_instance_is_deleted_too() {
    let lab = Lab::new();
    let id = "pgm-half";
    let put = lab.node.put(id, spec(id), std::time::Duration::ZERO).await.unwrap();
    assert_eq!(put.generation, 0, "not made yet");
    lab.node.delete(id, 1, WAIT).await.unwrap();
    assert!(!lab.dir.path().join("instances").join(id).exists());
    // Something that no spec belongs to.
    std::fs::create_dir_all(lab.dir.path().join("instances/pgm-stray/data/base")).unwrap();
    lab.node.delete("pgm-stray", 1, WAIT).await.unwrap();
    assert!(!lab.dir.path().join("instances/pgm-stray").exists());
    // One that cannot be made at all.
    let mut broken = spec("pgm-broken");
    broken.key = "no key".to_owned();
    let observed = lab.put(&broken).await;
    assert_eq!(observed.generation, 0);
    assert!(observed.trouble.contains("server.key"), "{:?}", observed.trouble);
    lab.node.delete("pgm-broken", 1, WAIT).await.unwrap();
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_no_rule_lets_in_any_more_are_ended() {
    let lab = Lab::new();
    let mut spec = spec("pgm-rules");
    let observed = lab.serve(&spec).await;
    let mut session = psql(&observed, "chief", "postgres")
        .args(["--command", "SELECT pg_sleep(600)"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' \
                    AND pid <> pg_backend_pid()";
    until("the session", async || (ask(&observed, sessions) == "1").then_some(())).await;
    spec.generation = 2;
    spec.hba = vec!["hostssl all all 10.0.0.0/8 scram-sha-256".to_owned()];
    lab.serve(&spec).await;
    let ended = until("its end", async || session.try_wait().unwrap()).await;
    assert!(!ended.success());
    let refused = sql(&observed, "chief", "postgres", "SELECT 1").unwrap_err();
    assert!(refused.contains("pg_hba.conf"), "{refused}");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_whose_data_is_gone_is_not_made_anew_from_nothing() {
    let lab = Lab::new();
    let mut spec = spec("pgm-lost");
    lab.serve(&spec).await;
    (spec.generation, spec.running) = (2, false);
    lab.put(&spec).await;
    std::fs::remove_dir_all(lab.dir.path().join("instances/pgm-lost/data")).unwrap();
    (spec.generation, spec.running) = (3, true);
    let observed = lab.put(&spec).await;
    assert!(observed.trouble.contains("data is gone"), "{observed:?}");
    lab.end().await;
}

#[test]
fn a_directory_has_one_node() {
    let dir = directory();
    let home = rds::node::home::Home::open(dir.path()).unwrap();
    let lock = home.lock().unwrap();
    assert!(home.lock().is_err());
    drop(lock);
    assert!(home.lock().is_ok());
}
