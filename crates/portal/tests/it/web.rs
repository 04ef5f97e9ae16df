//! A portal on a port of its own, and a client that speaks just enough HTTP.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use base::{Clock, Time};
use engine::server::{Door, Limits};
use portal::Portal;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::world::World;

/// Three days after the sample's log began, when one permit has run out.
struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Time {
        Time::parse_iso("2026-11-23T09:00:00Z").unwrap()
    }
}

/// A portal that is being served.
pub struct Web {
    pub world: Arc<World>,
    pub dir: TempDir,
    portal: Portal,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Web {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Arc::new(World::make(dir.path(), 700));
        let source = Arc::clone(&world) as Arc<dyn portal::Source>;
        let portal = Portal::new(source, world.about(), Arc::new(StandingClock));
        let limits = Limits::default();
        let door = Door::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None, limits).await.unwrap();
        let address = door.address().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(door.serve(Arc::new(portal.clone()), stopped));
        let web = Self { world, dir, portal, address, _stop: stop };
        web.look().await.unwrap();
        web
    }

    /// Reads the log on, as the portal does each second.
    pub async fn look(&self) -> Result<(), portal::follow::Fault> {
        self.portal.look().await
    }

    /// Asks, with these further header lines.
    pub async fn ask(&self, method: &str, path: &str, more: &str) -> Answer {
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
        let address = self.address;
        let bytes = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        })
        .await
        .unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    /// The body of a page that must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }
}
