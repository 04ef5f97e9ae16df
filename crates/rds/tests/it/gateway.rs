//! The gateway before servers that are scripted and servers that are real.

mod book;
mod limits;
mod postgres;
mod server;
mod talk;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::AccountId;
use rds::gateway::{Door, Limits, Quota, Refusal, Route, Routes, Tally, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Routes that a test sets.
pub struct Table {
    routes: Mutex<HashMap<String, Route>>,
    changes: watch::Sender<u64>,
}

impl Table {
    fn set(&self, name: &str, route: Route) {
        self.routes.lock().unwrap().insert(name.to_owned(), route);
        self.changes.send_modify(|count| *count += 1);
    }
}

#[async_trait::async_trait]
impl Routes for Table {
    fn route(&self, name: &str) -> Route {
        self.routes.lock().unwrap().get(name).cloned().unwrap_or(Route::Unknown)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn refresh(&self) {}
}

/// A route to a server of that name, for those networks.
pub fn to(instance: &str, address: SocketAddr, allow: &str, version: u64) -> Route {
    let (instance, allow) = (instance.to_owned(), door(allow));
    Route::To { instance, address, allow, quota: quota(1), version }
}

pub fn hold(instance: &str, allow: &str) -> Route {
    Route::Hold { instance: instance.to_owned(), allow: door(allow), quota: quota(1) }
}

/// Of that account, for a server that takes one connection.
pub fn quota(account: u64) -> Quota {
    Quota { account: AccountId::new(account), connections: 1 }
}

fn door(list: &str) -> Arc<Door> {
    Arc::new(Door::open_to(&[list]))
}

/// A gateway that serves, ended with this.
pub struct Running {
    pub address: SocketAddr,
    pub table: Arc<Table>,
    pub tally: Arc<Tally>,
    pub stop: watch::Sender<bool>,
    pub task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let table = Arc::new(Table { routes: Mutex::default(), changes: watch::channel(0).0 });
        let tally = Arc::new(Tally::default());
        let (stop, stopped) = watch::channel(false);
        let routes = Arc::clone(&table) as Arc<dyn Routes>;
        let task = tokio::spawn(serve(listener, routes, limits, Arc::clone(&tally), stopped));
        Self { address, table, tally, stop, task }
    }

    /// Waits until so many were refused for that reason.
    pub async fn refused(&self, why: Refusal, count: u64) {
        until(|| self.tally.refused(why) >= count).await;
    }
}

/// Waits until that is so, and not for ever.
pub async fn until(is: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not become so");
}
