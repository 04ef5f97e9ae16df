//! AppendObject.

use base::ApiError;
use http::StatusCode;
use http::header::HeaderValue;
use wire::object::error;

use super::call::{Call, Payload};
use super::object::put_stored;
use super::respond::empty;
use super::{Answer, Storage, headers};
use crate::model::PutOptions;

/// Where the next append begins.
pub(super) const NEXT_POSITION: &str = "x-oss-next-append-position";

impl Storage {
    pub(super) async fn append_object(&self, call: &Call<'_>, payload: Payload) -> Answer {
        headers::check_understood(call.head.headers, call.dialect)?;
        if call.query.has("callback") {
            return Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Header", "callback"));
        }
        let position = position(call)?;
        let (upload, expected) =
            payload.open(call, headers::expected(&call.head, call.dialect)?)?;
        let options = if position == 0 {
            headers::put_options(&call.head, call.dialect, expected)?
        } else {
            // What the object is besides its bytes was said by the request that made it.
            PutOptions { expected, ..PutOptions::default() }
        };
        let target = (call.bucket.as_str(), call.key.as_str(), position);
        let stored = self.oss.append(&call.ctx, target, options, upload).await?;
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        put_stored(headers, call.dialect, &stored);
        headers.insert(NEXT_POSITION, HeaderValue::from(stored.size));
        call.put_version(headers, stored.version);
        Ok(response)
    }
}

/// Errors: `InvalidArgument` where it is no number, or not told.
fn position(call: &Call<'_>) -> Result<u64, ApiError> {
    let text = call.text("position");
    // A sign is none of a position's digits.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        error::INVALID_ARGUMENT
            .error("The position must be a number of bytes.")
            .field("ArgumentName", "position")
            .field("ArgumentValue", text)
    })
}
