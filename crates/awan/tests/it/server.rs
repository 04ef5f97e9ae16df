//! A running `awan serve` on free ports.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cli::api::Api;
use cli::http::Http;
use cli::object::{Dialect, Store};
use cli::profile::{PlaceArgs, Profile};

/// The doors' distances that must be free.
const DOORS: [u16; 4] = [0, 1, 4, 6];

pub struct Server {
    pub child: Child,
    pub profile: Profile,
}

/// A port base whose doors are free now. Another process may take them meanwhile; starting retries.
pub fn port_base() -> u16 {
    let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = 20_000 + first % 30_000;
    let free =
        |base: &u16| DOORS.iter().all(|door| TcpListener::bind(("127.0.0.1", base + door)).is_ok());
    (start..60_000).step_by(10).find(free).expect("some ports are free")
}

pub fn spawn(dir: &Path, base: u16, more: &[&str]) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.with_extension("log"))
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_awan"))
        .args(["serve", "--data-dir", dir.to_str().unwrap(), "--port-base", &base.to_string()])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(dir: &Path, more: &[&str]) -> Self {
        for _ in 0..5 {
            let _ = std::fs::remove_file(dir.join("cloud.json"));
            let mut child = spawn(dir, port_base(), more);
            if ready(dir, &mut child) {
                let place = PlaceArgs { data_dir: Some(dir.to_owned()), ..PlaceArgs::default() };
                return Self { child, profile: Profile::resolve(&place).unwrap() };
            }
        }
        panic!("the cloud does not start: {}", log(dir));
    }

    pub fn store(&self, dialect: Dialect) -> Store {
        Store::new(&self.http(), &self.profile, dialect).unwrap()
    }

    pub fn api(&self) -> Api {
        Api::new(&self.http(), &self.profile).unwrap()
    }

    pub fn http(&self) -> Http {
        Http::new(&self.profile, 4).unwrap()
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) {
        terminate(&self.child);
        assert!(self.child.wait().unwrap().success());
    }
}

pub fn terminate(child: &Child) {
    let asked = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(asked.success());
}

pub fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.with_extension("log")).unwrap_or_default()
}

fn ready(dir: &Path, child: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if dir.join("cloud.json").exists() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    false
}
