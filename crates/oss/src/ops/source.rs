//! Where a body comes from.

use base::ApiError;
use bytes::Bytes;

use crate::digest::Checksum;

/// A body on its way in. A skin implements this over the connection and undoes the dialect's framing
/// in it (signed chunks), so that what comes out are the object's bytes.
pub trait Source: Send {
    /// The next bytes; `None` at the end. An error (the client went away, a chunk's signature is
    /// wrong) ends the operation, and nothing is stored.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, ApiError>> + Send;

    /// Called once, after the last byte. Says which checksums the trailers promise; may refuse the
    /// whole body, and then nothing is stored. The algorithms must be among those of
    /// [`crate::Expected::compute`].
    fn finish(&mut self) -> Result<Vec<Checksum>, ApiError> {
        Ok(Vec::new())
    }
}

/// A body that is there already.
pub struct Whole(Option<Bytes>);

impl Whole {
    /// These bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(Some(bytes.into()))
    }
}

impl Source for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        Ok(self.0.take())
    }
}
