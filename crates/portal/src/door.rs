//! The portal at a door of the program: the handler, and the reading on in the background.

use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use engine::pipeline::Peer;
use engine::server::{Body, Handler, full};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::{Mutex, watch};

use crate::follow::{Fault, Follower};
use crate::site::Site;
use crate::source::{About, Source};

/// The least time between two looks at the log: pages are at most this much behind.
const PERIOD: Duration = Duration::from_secs(1);
/// After a look that failed. What was read is not kept then, so looking again costs as much.
const PERIOD_FAULT: Duration = Duration::from_secs(10);

/// The public pages of one cloud. Cloning is cheap.
#[derive(Clone)]
pub struct Portal {
    site: Arc<Site>,
    source: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
    follower: Arc<Mutex<Follower>>,
}

impl Portal {
    /// Pages over a source. They stay empty until [`Portal::follow`] runs.
    pub fn new(source: Arc<dyn Source>, about: About, clock: Arc<dyn Clock>) -> Self {
        let follower = Follower::new(about.log_key.clone());
        let site = Site::new(Arc::clone(&source), about, follower.shared(), Arc::clone(&clock));
        let follower = Arc::new(Mutex::new(follower));
        Self { site: Arc::new(site), source, clock, follower }
    }

    /// Reads the log on, until `stop` turns true.
    pub async fn follow(self, mut stop: watch::Receiver<bool>) {
        let mut told = None;
        while !*stop.borrow() {
            let looked = self.look().await;
            let wait = if looked.is_ok() { PERIOD } else { PERIOD_FAULT };
            match looked {
                // A new cloud has published nothing yet.
                Ok(()) | Err(Fault::Nothing) => told = None,
                Err(fault) if told.as_ref() != Some(&fault) => {
                    tracing::error!(%fault, "the portal cannot read the log on");
                    told = Some(fault);
                }
                Err(_) => {}
            }
            let wait = if told.is_none() { wait.min(PERIOD) } else { wait };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Reads the log up to the checkpoint that is published now.
    ///
    /// # Errors
    /// What is wrong with the log; the pages show it too.
    pub async fn look(&self) -> Result<(), Fault> {
        let mut follower = Arc::clone(&self.follower).lock_owned().await;
        let (source, now) = (Arc::clone(&self.source), self.clock.now());
        let looked = tokio::task::spawn_blocking(move || follower.look(&*source, now)).await;
        looked.unwrap_or_else(|panic| {
            tracing::error!(%panic, "reading the log broke off");
            Err(Fault::File { path: "log".to_owned(), what: "cannot be read".to_owned() })
        })
    }
}

impl Handler for Portal {
    async fn handle(&self, request: Request<Incoming>, _: Peer) -> Response<Body> {
        let (head, _) = request.into_parts();
        let site = Arc::clone(&self.site);
        let answer = move || site.answer(&head.method, &head.uri, &head.headers);
        match tokio::task::spawn_blocking(answer).await {
            Ok(response) => response.map(full),
            Err(panic) => {
                tracing::error!(%panic, "a page broke off");
                let mut response = Response::new(full(Self::BROKEN));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }

    fn refuse(&self, status: u16) -> (&'static str, Vec<u8>) {
        let words = if status == 500 { Self::BROKEN } else { Self::NO_HTTP };
        ("text/plain; charset=utf-8", words.as_bytes().to_vec())
    }
}

impl Portal {
    const BROKEN: &str = "Halaman ini gagal dibuat. Coba lagi nanti.\nThis page could not be made. Try again later.\n";
    const NO_HTTP: &str = "Ini bukan permintaan HTTP.\nThis is no HTTP request.\n";
}
