//! Where the portal reads: the log's files and the documents that the log names, and nothing else. A
//! mirror gives the same two from somewhere else and has the same pages.

use std::io;
use std::sync::Arc;

use base::AccountId;
use engine::Cloud;
use tlog::{CosignerKey, Directory, Fetch, Verifier};

/// Public data, read blockingly.
pub trait Source: Fetch + Send + Sync + 'static {
    /// The public document of that SHA-256 (64 lower-case hexadecimal digits), `None` where there is
    /// none. What comes back is held against its name by whoever asked.
    fn document(&self, digest: &str) -> io::Result<Option<Vec<u8>>>;
}

/// What the pages say about the cloud that the log cannot say.
#[derive(Clone, Debug)]
pub struct About {
    /// The log's key.
    pub log_key: Verifier,
    /// The account of whoever runs the cloud; an agreement of it is one with itself.
    pub operator: Option<AccountId>,
    /// Witnesses whose cosignatures are checked here.
    pub witnesses: Vec<CosignerKey>,
}

/// The data of the cloud that this process runs.
pub struct Local {
    cloud: Arc<Cloud>,
    log: Directory,
}

impl Local {
    /// Reads the log's directory and the public documents of a cloud.
    pub fn new(cloud: Arc<Cloud>, log: Directory) -> Self {
        Self { cloud, log }
    }
}

impl Fetch for Local {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.log.fetch(path)
    }
}

impl Source for Local {
    fn document(&self, digest: &str) -> io::Result<Option<Vec<u8>>> {
        let digest = digest.to_owned();
        let found = self.cloud.db.read_blocking(move |tx| engine::public::find(tx, &digest));
        found.map_err(io::Error::other)
    }
}
