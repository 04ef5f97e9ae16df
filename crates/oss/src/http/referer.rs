//! Referer protection: whether the page that a request comes from may have the object.

use base::ApiError;
use http::header::AUTHORIZATION;
use wire::object::error;

use super::Storage;
use super::call::Call;
use crate::config::referer::Referer;

impl Storage {
    /// Requires that a read of an object comes from a page that may have it. What is signed in a
    /// header comes from no page: no browser follows a link with one. Holds in both dialects, since
    /// the client chooses the dialect.
    ///
    /// Errors: `AccessDenied`.
    pub(super) async fn check_referer(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let reads = matches!(call.head.method, "GET" | "HEAD") && !call.key.is_empty();
        if !reads || call.head.headers.contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let referer = self.oss.acting_config::<Referer>(&call.bucket).await?;
        // A header that is no text is a page that no list names, not the lack of one.
        let page = call.head.headers.get(http::header::REFERER);
        let page = page.map(|page| String::from_utf8_lossy(page.as_bytes()));
        if referer.is_none_or(|referer| referer.allows(page.as_deref())) {
            return Ok(());
        }
        Err(error::ACCESS_DENIED.error("You are denied by bucket referer policy."))
    }
}
