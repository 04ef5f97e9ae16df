//! PutSymlink and GetSymlink.

use base::text::percent_encode;
use base::{ApiError, text};
use http::StatusCode;
use wire::object::{Dialect, address, error};

use super::call::Call;
use super::object::put_stored;
use super::respond::{self, empty};
use super::{Answer, Storage, headers};
use crate::model::Expected;

const TARGET: &str = "x-oss-symlink-target";

impl Storage {
    pub(super) async fn put_symlink(&self, call: &Call<'_>) -> Answer {
        let target = target(call)?;
        let options = headers::put_options(&call.head, call.dialect, Expected::default())?;
        let place = (call.bucket.as_str(), call.key.as_str());
        let stored = self.oss.put_symlink(&call.ctx, place, &target, options).await?;
        let mut response = empty(StatusCode::OK);
        put_stored(response.headers_mut(), call.dialect, &stored);
        call.put_version(response.headers_mut(), stored.version);
        Ok(response)
    }

    pub(super) async fn get_symlink(&self, call: &Call<'_>) -> Answer {
        let (info, target) = self.oss.symlink(&call.ctx, &call.bucket, call.at()?).await?;
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        respond::put_object(headers, call.dialect, &info);
        respond::put(headers, TARGET, &percent_encode(&target));
        Ok(response)
    }
}

/// The key that a link is to lead to, which is sent percent-encoded.
///
/// Errors: `InvalidArgument` where there is none; `InvalidObjectName`.
fn target(call: &Call<'_>) -> Result<String, ApiError> {
    let sent = call.head.header(TARGET).filter(|sent| !sent.is_empty());
    let refused = || {
        error::INVALID_ARGUMENT
            .error("The header x-oss-symlink-target must name the target, percent-encoded.")
            .field("ArgumentName", TARGET)
    };
    let decoded = text::percent_decode(sent.ok_or_else(refused)?, false);
    let target = String::from_utf8(decoded).map_err(|_| refused())?;
    address::check_key(&target, Dialect::Oss)?;
    Ok(target)
}
