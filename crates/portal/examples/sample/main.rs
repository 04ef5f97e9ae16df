//! Serves the portal over a cloud that does not exist, to look at the pages and to test them in a
//! browser: `cargo run -p portal --example sample -- [ADDRESS] [OBJECTS]`.
//!
//! Prints one line of JSON: the address, what to look at, receipts, and how long reading the log took.
//! Ends when standard input does.

#![allow(clippy::unwrap_used, reason = "an example ends by panicking")]

mod world;

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use base::SystemClock;
use engine::server::{Door, Limits};
use portal::Portal;
use tokio::sync::watch;
use world::World;

/// The last entries, which say something else in clear than what they commit to.
const ODD: usize = 3;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let objects = arguments.next().map_or(2500, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let world = World::make(dir.path(), objects);
    let receipt = world.receipt(world.len() / 2);
    let refused = world.receipt(world.len() - ODD - 20);
    let odd: Vec<String> = (1..=ODD).rev().map(|at| world.receipt(world.len() - at)).collect();
    let entries = world.len();
    let (ocid, about) = (world.ocid.clone(), world.about());
    let key = about.log_key.to_string();
    let portal = Portal::new(Arc::new(world), about, Arc::new(SystemClock));
    let start = Instant::now();
    portal.look().await.unwrap();
    let read_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
    let door =
        Door::bind(address.parse::<SocketAddr>().unwrap(), None, Limits::default()).await.unwrap();
    let line = serde_json::json!({
        "address": format!("http://{}", door.address().unwrap()),
        "key": key, "entries": entries, "read_ms": read_ms, "ocid": ocid, "receipt": receipt, "refused": refused, "odd": odd,
    });
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    drop(out);
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn(portal.clone().follow(stopped.clone()));
    let serving = tokio::spawn(door.serve(Arc::new(portal), stopped));
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()))
        .await
        .unwrap()
        .unwrap();
    stop.send(true).unwrap();
    serving.await.unwrap();
    following.await.unwrap();
}
