//! Storing what was fetched from elsewhere for a bucket that does not have it.
//!
//! Not here: what is fetched, and from where (`http::origin`).

use base::ApiError;

use super::Source;
use crate::Oss;
use crate::error;
use crate::model::PutOptions;

impl Oss {
    /// Stores an object that the cloud fetched for the bucket's owner, as anybody's is stored, unless one came
    /// meanwhile, which stays.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub(crate) async fn put_fetched(
        &self,
        bucket: &str,
        key: &str,
        mut options: PutOptions,
        body: impl Source,
    ) -> Result<(), ApiError> {
        options.conditions.forbid_overwrite = true;
        match self.put(&self.as_system(), bucket, key, options, body).await {
            Err(refused) if refused.is(&error::FILE_ALREADY_EXISTS) => Ok(()),
            done => done.map(drop),
        }
    }
}
