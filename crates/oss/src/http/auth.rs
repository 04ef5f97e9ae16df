//! Who asks: the signature, checked on a snapshot of its own, before anything else is done.

use base::{ApiError, Secret};
use engine::Caller;
use wire::Head;
use wire::object::auth::{self, Auth, Payload};
use wire::object::chunked::ChunkKey;
use wire::object::{Dialect, error};

use super::Storage;
use super::call::Asked;
use super::route::Operation;
use crate::tables;

/// A caller, and what the signature says about the body.
pub(super) struct Identity {
    pub(super) caller: Caller,
    pub(super) payload: Payload,
    pub(super) chunk_key: Option<Box<ChunkKey>>,
}

impl Storage {
    /// Finds out who signed; nobody is an anonymous caller, to whom ACLs may grant something.
    ///
    /// Errors: those of the signature and of the key. A bucket that is not there is told before a key
    /// that is wrong, as both protocols do it (and clients rely on it); anybody can find out anyway.
    pub(super) async fn authenticate(
        &self,
        head: &Head<'_>,
        dialect: Dialect,
        asked: &Asked,
        operation: Option<Operation>,
    ) -> Result<Identity, ApiError> {
        let cloud = self.oss.cloud();
        let now = cloud.clock.now();
        // A preflight asks about a request to come, whose signature may stand in its query.
        let auth = match operation {
            Some(Operation::OptionObject) => Auth::Anonymous,
            _ => self.signature(head, dialect, asked)?,
        };
        let signed = match auth {
            Auth::Signed(signed) => signed,
            Auth::Anonymous => {
                let payload = Payload::unsigned(head, dialect)?;
                return Ok(Identity { caller: Caller::anonymous(), payload, chunk_key: None });
            }
        };
        let payload = signed.payload;
        let verify = |secret: &Secret<String>| signed.verify(secret);
        let identified = cloud.identify(&signed.key_id, signed.token.as_deref(), verify).await;
        match identified {
            Ok((caller, chunk_key)) => {
                cloud.authority.key_used(&caller, "oss", now);
                Ok(Identity { caller, payload, chunk_key: chunk_key.map(Box::new) })
            }
            // These make a bucket, or could.
            Err(refused)
                if matches!(operation, Some(Operation::PutBucket | Operation::PutBucketAcl))
                    || asked.bucket.is_empty() =>
            {
                Err(refused)
            }
            Err(refused) => Err(self.missing(&asked.bucket).await?.unwrap_or(refused)),
        }
    }

    /// Reads the signature, which may be made for any region of this cloud: clients sign for the one that
    /// the bucket's location tells them.
    ///
    /// Errors: as [`auth::parse`].
    fn signature(
        &self,
        head: &Head<'_>,
        dialect: Dialect,
        asked: &Asked,
    ) -> Result<Auth, ApiError> {
        let now = self.oss.cloud().clock.now();
        let parse = |region| auth::parse(head, dialect, &asked.resource(), region, now);
        let regions = self.regions();
        let (own, others) = regions.split_first().expect("a cloud has a region");
        parse(own)
            .or_else(|refused| others.iter().find_map(|region| parse(region).ok()).ok_or(refused))
    }

    /// The error that a bucket is not there, if so.
    async fn missing(&self, bucket: &str) -> Result<Option<ApiError>, ApiError> {
        let name = bucket.to_owned();
        let found = self.oss.cloud().db.read(move |tx| tables::bucket::find(tx, &name)).await?;
        let missing = || ApiError::new(&error::NO_SUCH_BUCKET).field("BucketName", bucket);
        Ok(if found.is_some() { None } else { Some(missing()) })
    }
}
