//! Restore tests: a backup is restored into a scratch member beside its instance, everything in it is read, and it
//! goes again.

use std::sync::Arc;

use async_trait::async_trait;
use base::ApiError;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::backup::restore::From;
use crate::backup::restore_test::{Proof, Prover};
use crate::node::api::Dump;
use crate::scratch::{self, Member, Scratch};

/// Reads everything that a backup has.
pub(crate) struct Reading(pub(crate) Arc<Scratch>);

#[async_trait]
impl Prover for Reading {
    async fn prove(&self, from: &From) -> Result<Proof, ApiError> {
        let began = Instant::now();
        let member = self.0.beside(&from.instance, scratch::of_test(&from.instance)).await?;
        let outcome = self.restored(from, &member).await;
        self.0.remove(&member.site, &member.name).await?;
        let databases = outcome?;
        Ok(Proof { took: began.elapsed(), databases })
    }

    async fn sweep(&self) -> Result<(), ApiError> {
        scratch::sweep(&self.0.desk.cloud, &*self.0.nodes).await
    }
}

impl Reading {
    async fn restored(&self, from: &From, member: &Member) -> Result<u64, ApiError> {
        self.0.restore(member, from).await?;
        let (nodes, site, name) = (&self.0.nodes, &member.site, &member.name);
        let figures = nodes.figures(site, name).await.map_err(ApiError::internal)?;
        let mut read = 0;
        for database in figures.databases.keys() {
            let what = Dump { database: database.clone(), tables: Vec::new() };
            let mut dump = nodes.dump(site, name, &what).await.map_err(ApiError::internal)?;
            // A dump reads every row; where one cannot be read its stream breaks.
            while let Some(frame) = dump.frame().await {
                frame.map_err(ApiError::internal)?;
            }
            read += 1;
        }
        Ok(read)
    }
}
