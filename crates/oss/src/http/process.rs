//! `x-oss-process`: images on their way out (GET), and made into another object (POST).
//!
//! Everything else that the parameter can ask for (styles of a bucket, video, documents, SELECT) is
//! `NotImplemented`.

use base::ApiError;
use base64::Engine as _;
use http::header::{CONTENT_TYPE, HeaderValue};
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::{Dialect, address, error};

use super::call::{Call, Payload};
use super::object::{not_modified, overrides};
use super::respond::{self, whole};
use super::{Answer, Storage, conditions};
use crate::image::{self, BASE64, Plan, Rendered, SOURCE_BYTES_MAX};
use crate::meter::Payer;
use crate::model::{Attributes, Expected, ObjectInfo, PutOptions};
use crate::ops::{Fetched, GetOptions, Whole};

pub(super) const NAME: &str = "x-oss-process";

/// What came of a look at an image.
enum Seen {
    Made(ObjectInfo, Rendered, Option<Payer>),
    NotModified(ObjectInfo),
}

/// Where a result is to be stored.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// The bucket; the source's where not told.
    bucket: Option<String>,
    key: String,
}

impl Storage {
    /// An image as the request wants it.
    pub(super) async fn get_processed(&self, call: &Call<'_>, process: &str) -> Answer {
        let overrides = overrides(call)?;
        let conditions = conditions::of_read(&call.head);
        let options = GetOptions { conditions, ..GetOptions::default() };
        let (info, rendered, payer) = match self.look_at(call, options, process).await? {
            Seen::NotModified(info) => return Ok(not_modified(call, &info)),
            Seen::Made(info, rendered, payer) => (info, rendered, payer),
        };
        self.oss.count_egress(payer.as_ref(), rendered.bytes.len() as u64);
        let mut response = whole(rendered.bytes);
        let headers = response.headers_mut();
        respond::put_state(headers, call.dialect, &info);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
        headers.extend(overrides);
        Ok(response)
    }

    /// Stores what is made of an image as an object, for which the caller needs the right as for any other.
    pub(super) async fn process_object(&self, call: &Call<'_>, payload: Payload) -> Answer {
        if let Some(other) = call.query.get(NAME).filter(|value| !value.is_empty()) {
            return Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Header", other));
        }
        let body = call.read(payload, SMALL_BYTES_MAX).await?;
        let (process, target) = read_saving(&body)?;
        let Seen::Made(_, rendered, _) =
            self.look_at(call, GetOptions::default(), &process).await?
        else {
            return Err(ApiError::new(&error::PRECONDITION_FAILED));
        };
        let size = rendered.bytes.len() as u64;
        let content_type = ("content-type".to_owned(), rendered.content_type.to_owned());
        let options = PutOptions {
            attributes: Attributes { headers: vec![content_type], ..Attributes::default() },
            expected: Expected { length: Some(size), ..Expected::default() },
            ..PutOptions::default()
        };
        let bucket = target.bucket.as_deref().unwrap_or(&call.bucket);
        let made = Whole::new(rendered.bytes);
        self.oss.put(&call.ctx, bucket, &target.key, options, made).await?;
        let told = serde_json::json!({
            "bucket": target.bucket.unwrap_or_default(),
            "fileSize": size,
            "object": target.key,
            "status": "OK",
        });
        let mut response = whole(told.to_string());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok(response)
    }

    /// Reads an image and does with it what is asked.
    async fn look_at(
        &self,
        call: &Call<'_>,
        options: GetOptions,
        process: &str,
    ) -> Result<Seen, ApiError> {
        let plan: Plan = image::parse(process)?;
        // Before the bytes, so that only those who have a turn hold any.
        let turn = image::turn().await?;
        let (info, body) = match self.oss.get(&call.ctx, &call.bucket, call.at()?, options).await? {
            Fetched::NotModified(info) => return Ok(Seen::NotModified(info)),
            Fetched::Found { info, body, .. } => (info, body),
        };
        if info.size > SOURCE_BYTES_MAX {
            return Err(ApiError::new(&error::IMAGE_TOO_LARGE));
        }
        let (bytes, payer) = body.whole().await?;
        let mut marks = Vec::new();
        for key in plan.watermarks() {
            marks.push(self.watermark(call, key).await?);
        }
        let rendered = image::process(turn, (bytes, marks), plan).await?;
        Ok(Seen::Made(info, rendered, payer))
    }

    /// The bytes of another image of the bucket, which whoever asks must have the right to read.
    async fn watermark(&self, call: &Call<'_>, key: &str) -> Result<Vec<u8>, ApiError> {
        let options = GetOptions::default();
        // That the image itself is missing is another matter: a website may have that fetched.
        let found = self.oss.get(&call.ctx, &call.bucket, key, options).await;
        let found = found.map_err(|refused| match refused.is(&error::NO_SUCH_KEY) {
            true => error::INVALID_ARGUMENT
                .error("The watermark does not exist.")
                .field("ArgumentName", NAME),
            false => refused,
        });
        match found? {
            Fetched::Found { info, .. } if info.size > SOURCE_BYTES_MAX => {
                Err(ApiError::new(&error::IMAGE_TOO_LARGE))
            }
            Fetched::Found { body, .. } => Ok(body.whole().await?.0),
            Fetched::NotModified(_) => Err(ApiError::new(&error::PRECONDITION_FAILED)),
        }
    }
}

/// Reads `x-oss-process=PROCESS|sys/saveas,o_KEY,b_BUCKET`.
///
/// Errors: `InvalidArgument`; `InvalidObjectName`.
fn read_saving(body: &[u8]) -> Result<(String, Target), ApiError> {
    let refused = || {
        error::INVALID_ARGUMENT
            .error("The body must be x-oss-process=PROCESS|sys/saveas,o_KEY[,b_BUCKET].")
            .field("ArgumentName", NAME)
    };
    let text = std::str::from_utf8(body).map_err(|_| refused())?;
    let text = text.trim().strip_prefix("x-oss-process=").ok_or_else(refused)?;
    let text = String::from_utf8(base::text::percent_decode(text, false)).map_err(|_| refused())?;
    let (process, saving) = text.split_once('|').ok_or_else(refused)?;
    let arguments = saving.strip_prefix("sys/saveas,").ok_or_else(refused)?;
    let (mut bucket, mut key) = (None, None);
    for argument in arguments.split(',') {
        let (name, value) = argument.split_once('_').ok_or_else(refused)?;
        let value = BASE64.decode(value).ok().and_then(|value| String::from_utf8(value).ok());
        let value = value.ok_or_else(refused)?;
        match name {
            "o" => key = Some(value),
            "b" => bucket = Some(value),
            _ => return Err(refused()),
        }
    }
    let key = key.ok_or_else(refused)?;
    address::check_key(&key, Dialect::Oss)?;
    Ok((process.to_owned(), Target { bucket, key }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_to_store_is_read_with_and_without_padding() {
        let target = |bucket: Option<&str>| Target {
            bucket: bucket.map(str::to_owned),
            key: "a.jpg".to_owned(),
        };
        let read = |text: &str| read_saving(text.as_bytes());
        let (process, to) =
            read("x-oss-process=image/resize,w_100|sys/saveas,o_YS5qcGc=,b_Yg").unwrap();
        assert_eq!((process.as_str(), to), ("image/resize,w_100", target(Some("b"))));
        let (_, to) = read("x-oss-process=image%2Finfo%7Csys/saveas,o_YS5qcGc").unwrap();
        assert_eq!(to, target(None));
        for wrong in [
            "",
            "x-oss-process=image/info",
            "x-oss-process=image/info|sys/saveas,b_Yg",
            "x-oss-process=image/info|sys/saveas,o_!",
            "x-oss-process=image/info|sys/saveas,o_Yg,z_Yg",
            "image/info|sys/saveas,o_Yg",
        ] {
            assert_eq!(read(wrong).unwrap_err().code(), "InvalidArgument", "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in ".*", saving in "[ob_,a-zA-Z0-9=]{0,20}") {
            drop(read_saving(body.as_bytes()));
            drop(read_saving(format!("x-oss-process=image/info|sys/saveas,{saving}").as_bytes()));
        }
    }
}
