//! What scripted clients get to hear, and how much of anything they can take.

use std::net::SocketAddr;
use std::time::Duration;

use rds::gateway::{Limits, Refusal, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::talk::{
    GSSENC_REQUEST, SSL_REQUEST, alert, ask, connect, connect_from, echo, hello, read, rest,
};
use super::{Running, hold, quota, to, until};

async fn gateway() -> Running {
    let running = Running::start(Limits::default()).await;
    running.table.set("pgm-a", to("pgm-a", echo().await, "127.0.0.1", 1));
    running
}

#[tokio::test]
async fn a_hello_reaches_the_server_as_it_is_however_it_arrives() {
    let gateway = gateway().await;
    for step in [1, 7, 4096] {
        let mut client = connect(gateway.address).await;
        client.set_nodelay(true).unwrap();
        client.write_all(&GSSENC_REQUEST).await.unwrap();
        assert_eq!(read(&mut client, 1).await, b"N");
        client.write_all(&SSL_REQUEST).await.unwrap();
        assert_eq!(read(&mut client, 1).await, b"S");
        let hello = hello("PGM-A.pg.rds.example.id", &[]);
        for part in hello.chunks(step) {
            client.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(read(&mut client, hello.len()).await, hello);
    }
    assert_eq!(gateway.tally.total(), 3);
}

#[tokio::test]
async fn tls_at_once_is_taken_where_it_offers_postgresql() {
    let gateway = gateway().await;
    let mut client = connect(gateway.address).await;
    let hello_bytes = hello("pgm-a.pg.rds.example.id", &["postgresql"]);
    client.write_all(&hello_bytes).await.unwrap();
    assert_eq!(read(&mut client, hello_bytes.len()).await, hello_bytes);
    let mut browser = connect(gateway.address).await;
    browser.write_all(&hello("pgm-a.pg.rds.example.id", &["h2"])).await.unwrap();
    assert_eq!(alert(&mut browser).await, 120);
    assert_eq!(gateway.tally.refused(Refusal::NoProtocol), 1);
}

#[tokio::test]
async fn each_refusal_says_why_and_is_counted() {
    let gateway = gateway().await;
    gateway.table.set("far", to("far", "127.0.0.1:1".parse().unwrap(), "10.0.0.0/8", 1));
    gateway.table.set("asleep", Route::Stopped);
    for (name, number, why) in [
        ("nobody.pg.rds.example.id", 112, Refusal::Unknown),
        ("127.0.0.1", 109, Refusal::NoName),
        ("far.pg.rds.example.id", 49, Refusal::NotAllowed),
        ("asleep.pg.rds.example.id", 80, Refusal::Stopped),
    ] {
        let (mut client, _) = ask(connect(gateway.address).await, name).await;
        assert_eq!(alert(&mut client).await, number, "{name}");
        assert_eq!(gateway.tally.refused(why), 1, "{name}");
    }
    let mut startup = 23u32.to_be_bytes().to_vec();
    startup.extend([0, 3, 0, 0]);
    startup.extend(b"user\0postgres\0\0");
    let mut plain = connect(gateway.address).await;
    plain.write_all(&startup).await.unwrap();
    let text = String::from_utf8_lossy(&rest(&mut plain).await).into_owned();
    assert!(text.starts_with('E') && text.contains("C28000\0") && text.contains("sslmode=require"));
    let mut web = connect(gateway.address).await;
    web.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(String::from_utf8_lossy(&rest(&mut web).await).contains("08P01"));
    let mut cancel = connect(gateway.address).await;
    cancel.write_all(&[0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]).await.unwrap();
    assert_eq!(rest(&mut cancel).await, b"");
    for why in [Refusal::Plain, Refusal::Malformed, Refusal::Cancel] {
        gateway.refused(why, 1).await;
    }
    until(|| gateway.tally.now() == 0).await;
}

/// Connections that say nothing, or half of what they should.
async fn silent(from: impl Fn(usize) -> String, count: usize, to: SocketAddr) -> Vec<TcpStream> {
    let half = &hello("pgm-a.pg.rds.example.id", &[])[..40];
    let mut slow = Vec::new();
    for number in 0..count {
        let mut client = connect_from(&from(number), to).await;
        // The gateway may have closed it by then.
        match number % 3 {
            0 => {}
            1 => drop(client.write_all(&SSL_REQUEST[..3]).await),
            _ => drop(client.write_all(&[&SSL_REQUEST, half].concat()).await),
        }
        slow.push(client);
    }
    slow
}

#[tokio::test]
async fn clients_that_say_nothing_are_ended_and_keep_nobody_else_out() {
    let limits =
        Limits { greeting_max: 20, greeting: Duration::from_millis(700), ..Limits::default() };
    let gateway = Running::start(limits).await;
    gateway.table.set("pgm-a", to("pgm-a", echo().await, "127.0.0.0/8", 1));
    let _slow = silent(|_| "127.0.0.1".to_owned(), 60, gateway.address).await;
    gateway.refused(Refusal::TooMany, 40).await;
    // From another address, and from the same one, at the same time: the oldest made room.
    for from in ["127.0.0.9", "127.0.0.1"] {
        let (mut client, hello) =
            ask(connect_from(from, gateway.address).await, "pgm-a.example").await;
        assert_eq!(read(&mut client, hello.len()).await, hello);
    }
    gateway.refused(Refusal::Slow, 1).await;
    until(|| gateway.tally.now() == 0).await;
}

#[tokio::test]
async fn clients_of_many_addresses_that_say_nothing_keep_nobody_out_and_end_no_session() {
    let limits = Limits {
        greetings_max: 30,
        greeting: Duration::from_secs(60),
        connections_max: 4,
        account_max: 4,
        instance_spare: 9,
        ..Limits::default()
    };
    let gateway = Running::start(limits).await;
    gateway.table.set("pgm-a", to("pgm-a", echo().await, "127.0.0.0/8", 1));
    let (mut session, first) = ask(connect(gateway.address).await, "pgm-a.example").await;
    assert_eq!(read(&mut session, first.len()).await, first);
    let _slow = silent(|number| format!("127.0.1.{number}"), 90, gateway.address).await;
    gateway.refused(Refusal::TooMany, 60).await;
    until(|| gateway.tally.now() == 31).await;
    let (mut client, hello) = ask(connect(gateway.address).await, "pgm-a.example").await;
    assert_eq!(read(&mut client, hello.len()).await, hello);
    session.write_all(b"still there").await.unwrap();
    assert_eq!(read(&mut session, 11).await, b"still there");
}

#[tokio::test]
async fn an_instance_has_so_many_connections_and_others_have_their_own() {
    let gateway = Running::start(Limits { instance_spare: 1, ..Limits::default() }).await;
    let server = echo().await;
    gateway.table.set("pgm-a", to("pgm-a", server, "127.0.0.1", 1));
    gateway.table.set("public", to("pgm-a", server, "127.0.0.1", 1));
    gateway.table.set("pgm-b", to("pgm-b", server, "127.0.0.1", 1));
    let mut kept = Vec::new();
    for name in ["pgm-a.x", "public.x", "pgm-b.x"] {
        let (mut client, hello) = ask(connect(gateway.address).await, name).await;
        assert_eq!(read(&mut client, hello.len()).await, hello);
        kept.push(client);
    }
    let (mut third, _) = ask(connect(gateway.address).await, "pgm-a.x").await;
    assert_eq!(alert(&mut third).await, 80);
    assert_eq!(gateway.tally.refused(Refusal::TooMany), 1);
    drop((kept, third));
    until(|| gateway.tally.now() == 0).await;
    let (mut again, hello) = ask(connect(gateway.address).await, "pgm-a.x").await;
    assert_eq!(read(&mut again, hello.len()).await, hello);
}

#[tokio::test]
async fn an_account_has_a_share_and_others_are_served_when_it_is_taken() {
    let limits = Limits { connections_max: 4, account_max: 2, ..Limits::default() };
    let gateway = Running::start(limits).await;
    let server = echo().await;
    for (name, account) in [("pgm-a", 1), ("pgm-b", 1), ("pgm-c", 1), ("pgm-d", 2)] {
        let mut route = to(name, server, "127.0.0.1", 1);
        let Route::To { quota: of, .. } = &mut route else { panic!("{route:?}") };
        *of = quota(account);
        gateway.table.set(name, route);
    }
    let mut kept = Vec::new();
    for name in ["pgm-a.x", "pgm-b.x"] {
        let (mut client, hello) = ask(connect(gateway.address).await, name).await;
        assert_eq!(read(&mut client, hello.len()).await, hello);
        kept.push(client);
    }
    let (mut third, _) = ask(connect(gateway.address).await, "pgm-c.x").await;
    assert_eq!(alert(&mut third).await, 80);
    let (mut other, hello) = ask(connect(gateway.address).await, "pgm-d.x").await;
    assert_eq!(read(&mut other, hello.len()).await, hello);
}

#[tokio::test]
async fn one_that_waits_is_let_through_or_told_and_forgotten_when_it_leaves() {
    let limits = Limits { hold: Duration::from_millis(600), ..Limits::default() };
    let gateway = Running::start(limits).await;
    gateway.table.set("pgm-a", hold("pgm-a", "127.0.0.1"));
    gateway.table.set("pgm-b", hold("pgm-b", "127.0.0.1"));
    gateway.table.set("far", hold("far", "10.0.0.0/8"));
    let (mut waits, hello) = ask(connect(gateway.address).await, "pgm-a.x").await;
    let (mut never, _) = ask(connect(gateway.address).await, "pgm-b.x").await;
    let (leaves, _) = ask(connect(gateway.address).await, "pgm-b.x").await;
    let (mut far, _) = ask(connect(gateway.address).await, "far.x").await;
    assert_eq!(alert(&mut far).await, 49, "who may not come in does not wait either");
    drop(far);
    until(|| gateway.tally.held() == 3).await;
    drop(leaves);
    until(|| gateway.tally.now() == 2).await;
    gateway.table.set("pgm-a", to("pgm-a", echo().await, "127.0.0.1", 1));
    assert_eq!(read(&mut waits, hello.len()).await, hello);
    assert_eq!(alert(&mut never).await, 80);
    assert_eq!(gateway.tally.refused(Refusal::Unavailable), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_when_another_one_takes_over() {
    let gateway = gateway().await;
    // Accepts in the kernel and says nothing, as a frozen one does.
    let frozen = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    gateway.table.set("pgm-a", to("pgm-a", frozen.local_addr().unwrap(), "127.0.0.1", 1));
    let (mut client, hello) = ask(connect(gateway.address).await, "pgm-a.x").await;
    let (_held, _) = frozen.accept().await.unwrap();
    gateway.table.set("pgm-a", to("pgm-a", echo().await, "127.0.0.1", 2));
    let read = tokio::time::timeout(Duration::from_secs(2), read(&mut client, hello.len()));
    assert_eq!(read.await.expect("sooner than a dial may take"), hello);
}

#[tokio::test]
async fn sessions_end_when_they_may_not_be_any_more() {
    let gateway = gateway().await;
    let server = echo().await;
    let may = |allow, version| to("pgm-a", server, allow, version);
    gateway.table.set("other", to("other", server, "127.0.0.1", 1));
    let (mut other, hello) = ask(connect(gateway.address).await, "other.x").await;
    read(&mut other, hello.len()).await;
    for (count, then) in [
        may("10.0.0.0/8", 1),
        may("127.0.0.1", 2),
        to("pgm-a", echo().await, "127.0.0.1", 1),
        Route::Unknown,
    ]
    .into_iter()
    .enumerate()
    {
        gateway.table.set("pgm-a", may("127.0.0.1", 1));
        let (mut client, hello) = ask(connect(gateway.address).await, "pgm-a.x").await;
        read(&mut client, hello.len()).await;
        // Neither a list that still has it nor a restart to come ends it.
        gateway.table.set("pgm-a", may("127.0.0.1,10.0.0.0/8", 1));
        gateway.table.set("pgm-a", hold("pgm-a", "127.0.0.1"));
        client.write_all(b"still there").await.unwrap();
        assert_eq!(read(&mut client, 11).await, b"still there");
        gateway.table.set("pgm-a", then);
        assert_eq!(rest(&mut client).await, b"");
        assert_eq!(gateway.tally.cut(), count as u64 + 1);
    }
    other.write_all(b"still there").await.unwrap();
    assert_eq!(read(&mut other, 11).await, b"still there");
    gateway.stop.send_replace(true);
    assert_eq!(rest(&mut other).await, b"");
    gateway.task.await.unwrap().unwrap();
    assert_eq!(gateway.tally.now(), 0);
}

#[tokio::test]
async fn what_a_client_sent_before_it_ended_comes_back_whole() {
    let gateway = gateway().await;
    let (client, hello) = ask(connect(gateway.address).await, "pgm-a.x").await;
    let (mut from, mut into) = client.into_split();
    let sent: Vec<u8> = (0..40 << 20).map(|at: u32| (at % 251) as u8).collect();
    let expected = [hello, sent.clone()].concat();
    let writer = tokio::spawn(async move {
        into.write_all(&sent).await.unwrap();
        into.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    let read = from.read_to_end(&mut back);
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("all of it").unwrap();
    writer.await.unwrap();
    assert!(back == expected, "{} of {} bytes, or others", back.len(), expected.len());
    until(|| gateway.tally.now() == 0).await;
}
