//! Asking a witness, as a log does: one request, within seconds or not at all. What to ask and what to
//! make of the answer is the log's part.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use http::Request;
use http::header::CONTENT_TYPE;
use tlog::witness::Reply;
use ureq::Agent;

use crate::http::{is_loopback, tls_config};

/// From the first byte to the last: publishing waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks witnesses. Clones and threads share its connections.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
}

impl Client {
    /// A client for the witnesses at these addresses. `ca_cert` is trusted for `https`; without it what
    /// the machine trusts.
    ///
    /// # Errors
    /// Where one of them is `https` and no certificate authority is known.
    pub fn new(urls: &[&str], ca_cert: Option<&Path>) -> Result<Self> {
        let tls = urls.iter().any(|url| url.starts_with("https:"));
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .no_delay(true)
            .user_agent(concat!("awan/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(TIMEOUT))
            .tls_config(tls_config(ca_cert, tls)?);
        if urls.iter().all(|url| is_loopback(url)) {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent() })
    }

    /// Posts the body of a request to the witness whose submission prefix is `url`; answers the status
    /// and the body.
    ///
    /// # Errors
    /// Why no answer came, for the operator's log.
    pub fn add_checkpoint(&self, url: &str, body: &str) -> Result<(u16, Vec<u8>), ureq::Error> {
        let request = Request::post(format!("{url}/add-checkpoint"))
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(body)?;
        let response = self.agent.run(request)?;
        let status = response.status().as_u16();
        let limit = u64::try_from(Reply::BYTES_MAX).unwrap_or(u64::MAX);
        let mut answer = Vec::new();
        // One byte more than may be, so that what is too long is seen to be.
        response.into_body().into_reader().take(limit + 1).read_to_end(&mut answer)?;
        Ok((status, answer))
    }
}
