#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;
use crate::workspace::{Scratch, write};

/// Answers every connection as a healthy cloud does, until the test ends.
fn doors() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    format!("http://{address}")
}

/// A program that stands in for `awan`: does `work` with the data folder as `$3`.
fn program(scratch: &Scratch, work: &str) -> PathBuf {
    let path = scratch.path().join("awan");
    write(&path, format!("#!/bin/sh\n{work}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_cloud_is_up_when_its_doors_answer_and_gives_its_log_when_stopped() {
    let scratch = Scratch::new("cloud-test").unwrap();
    let url = doors();
    let endpoints = format!(r#"{{"api": "{url}", "oss": "{url}", "metrics": "{url}"}}"#);
    let work = format!(
        "trap 'echo stopped; exit 0' TERM\n\
         echo '{{\"ca_cert\": \"ca\", \"endpoints\": {endpoints}}}' > \"$3/cloud.json\"\n\
         while :; do sleep 0.05; done"
    );
    let awan = program(&scratch, &work);
    let cloud = Cloud::start(&awan, &scratch.path().join("data"), &[], Life::Run).unwrap();
    assert_eq!(cloud.file().unwrap().endpoint("api"), Ok(url.as_str()));
    assert!(cloud.file().unwrap().endpoint("console").is_err());
    assert_eq!(cloud.stop().unwrap(), "stopped\n");
}

#[test]
fn a_cloud_that_ends_at_its_start_is_an_error_with_its_last_words() {
    let scratch = Scratch::new("cloud-test").unwrap();
    let awan = program(&scratch, "echo the disk is full >&2; exit 1");
    let error = Cloud::start(&awan, &scratch.path().join("data"), &[], Life::Run).err();
    assert!(error.unwrap().contains("the disk is full"));
}

#[test]
fn a_port_base_has_all_its_ports_free() {
    let base = free_port_base().unwrap();
    for offset in PORT_OFFSETS {
        assert!(TcpListener::bind(("127.0.0.1", base + offset)).is_ok());
    }
}
