#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

/// A server that gives each connection one of the prepared answers after another.
fn server(answers: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for answer in answers {
            let mut request = [0; 64 << 10];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let values: Vec<u32> = (1..=100).collect();
    assert_eq!((percentile(&values, 50), percentile(&values, 99)), (Some(50), Some(99)));
    assert_eq!(
        (percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)),
        (Some(7), Some(7), None)
    );
}

#[test]
fn answers_are_read_one_after_another_on_one_connection() {
    let address = server(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ]);
    let mut connection = Connection::open(&address).unwrap();
    let mut ask = || {
        connection
            .exchange(b"GET / HTTP/1.1\r\n\r\n", b"")
            .map(|answer| (answer.status, answer.bytes))
    };
    assert_eq!(ask().unwrap(), (200, 5));
    assert_eq!(ask().unwrap(), (403, 2));
    assert_eq!(ask().unwrap(), (204, 0));
    assert_eq!(connection.last_text(), "");
}

#[test]
fn a_broken_answer_is_an_error() {
    for answer in [&["nonsense\r\n\r\n"], &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]] {
        let mut connection = Connection::open(&server(answer)).unwrap();
        assert!(connection.exchange(b"GET / HTTP/1.1\r\n\r\n", b"").is_err());
    }
}

#[test]
fn cpu_time_is_known_and_grows() {
    let before = cpu_seconds();
    let start = Instant::now();
    let mut sum = 0_u64;
    // Three ticks of the kernel's clock are enough to be seen; five seconds are more than enough.
    while cpu_seconds() < before + 0.03 && start.elapsed() < Duration::from_secs(5) {
        sum = (0..100_000).fold(sum, |sum, item| sum.wrapping_mul(31).wrapping_add(item));
    }
    assert!(cpu_seconds() >= before + 0.03, "{sum}");
}

#[test]
fn only_plain_addresses_are_taken() {
    assert_eq!(plain_address("http://127.0.0.1:7100").unwrap(), "127.0.0.1:7100");
    assert!(plain_address("https://127.0.0.1:7100").is_err());
}

#[test]
fn a_scenarios_name_may_end_in_its_size() {
    let parse =
        |name: &str| name.parse::<Scenario>().map(|scenario| (scenario.kind, scenario.size));
    assert_eq!(parse("get-caller-identity").unwrap(), (Kind::GetCallerIdentity, None));
    assert_eq!(parse("put").unwrap(), (Kind::Put, None));
    assert_eq!(parse("list").unwrap(), (Kind::List, None));
    assert_eq!(parse("put-4k").unwrap(), (Kind::Put, Some(4096)));
    assert_eq!(parse("get-64m").unwrap(), (Kind::Get, Some(64 << 20)));
    assert_eq!(parse("get-100").unwrap(), (Kind::Get, Some(100)));
    for name in ["", "put-", "put-x", "put-99999999999999999999m", "ingest-4k", "list-4k", "delete"]
    {
        assert!(parse(name).is_err(), "{name}");
    }
}
