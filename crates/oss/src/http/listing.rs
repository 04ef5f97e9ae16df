//! Listings.

use base::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wire::object::address::KEY_BYTES_MAX_OSS;
use wire::object::error;

use super::call::Call;
use super::render::{self, Listed, Style};
use super::respond::xml;
use super::{Answer, Storage, version};
use crate::ops::{ListQuery, PAGE_MAX, UploadQuery, VersionQuery};

/// Entries of a page where the client does not say.
const fn page_default(call: &Call<'_>) -> usize {
    match call.dialect {
        wire::object::Dialect::Oss => 100,
        wire::object::Dialect::S3 => PAGE_MAX,
    }
}

/// A parameter that is a key or a part of one.
///
/// Errors: `InvalidArgument` in OSS for one that no key can begin with.
fn text(call: &Call<'_>, name: &'static str) -> Result<String, ApiError> {
    let text = call.text(name);
    if call.is_oss() && text.len() > KEY_BYTES_MAX_OSS {
        return Err(error::INVALID_ARGUMENT
            .error(format!("The {name} has more than {KEY_BYTES_MAX_OSS} bytes."))
            .field("ArgumentName", name));
    }
    Ok(text.to_owned())
}

fn style(call: &Call<'_>) -> Result<Style, ApiError> {
    Ok(Style { dialect: call.dialect, encoded: call.url_encoded()? })
}

/// What a listing asks for, beginning after `after`.
fn query(call: &Call<'_>, after: String) -> Result<ListQuery, ApiError> {
    Ok(ListQuery {
        prefix: text(call, "prefix")?,
        delimiter: text(call, "delimiter")?,
        after,
        limit: call.count("max-keys", page_default(call), PAGE_MAX)?,
    })
}

/// A continuation token is opaque to clients, so that none relies on its being a key.
const TOKEN_MARK: &str = "k:";

fn token(key: &str) -> String {
    URL_SAFE_NO_PAD.encode([TOKEN_MARK, key].concat())
}

/// Errors: `InvalidArgument` for a token that [`token`] did not make.
fn untoken(token: &str) -> Result<String, ApiError> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(TOKEN_MARK)).map(str::to_owned);
    key.ok_or_else(|| {
        let refused =
            error::INVALID_ARGUMENT.error("The continuation token provided is incorrect.");
        refused.field("ArgumentName", "continuation-token")
    })
}

impl Storage {
    pub(super) async fn list_objects(&self, call: &Call<'_>) -> Answer {
        let (style, after) = (style(call)?, call.text("marker"));
        let query = query(call, text(call, "marker")?)?;
        let page = self.oss.list(&call.ctx, &call.bucket, query.clone()).await?;
        let now = self.oss.cloud().clock.now();
        let asked =
            Listed { query: &query, after, token: None, next_token: None, owners: true, now };
        Ok(xml(render::list_objects(style, &asked, &page)))
    }

    pub(super) async fn list_objects_v2(&self, call: &Call<'_>) -> Answer {
        let (style, after) = (style(call)?, call.text("start-after"));
        let given = call.query.get("continuation-token");
        // An empty one is the first page's; S3 tells it back.
        let token_of_page = given.filter(|token| !token.is_empty());
        let from = token_of_page.map_or_else(|| Ok(after.to_owned()), untoken)?;
        let query = query(call, from)?;
        let page = self.oss.list(&call.ctx, &call.bucket, query.clone()).await?;
        let asked = Listed {
            query: &query,
            after,
            token: given.filter(|token| !call.is_oss() || !token.is_empty()),
            next_token: page.next.as_deref().map(token),
            owners: call.text("fetch-owner").eq_ignore_ascii_case("true"),
            now: self.oss.cloud().clock.now(),
        };
        Ok(xml(render::list_objects_v2(style, &asked, &page)))
    }

    pub(super) async fn list_versions(&self, call: &Call<'_>) -> Answer {
        let style = style(call)?;
        let marker = "version-id-marker";
        let query = VersionQuery {
            prefix: text(call, "prefix")?,
            delimiter: text(call, "delimiter")?,
            after_key: text(call, "key-marker")?,
            after_version: version::parse(call.query.get(marker), marker)?,
            limit: call.count("max-keys", page_default(call), PAGE_MAX)?,
        };
        let page = self.oss.list_versions(&call.ctx, &call.bucket, query.clone()).await?;
        let now = self.oss.cloud().clock.now();
        Ok(xml(render::list_versions(style, &query, &page, now)))
    }

    pub(super) async fn list_uploads(&self, call: &Call<'_>) -> Answer {
        let style = style(call)?;
        let query = UploadQuery {
            prefix: text(call, "prefix")?,
            delimiter: text(call, "delimiter")?,
            after_key: text(call, "key-marker")?,
            after_upload: call.text("upload-id-marker").to_owned(),
            limit: call.count("max-uploads", PAGE_MAX, PAGE_MAX)?,
        };
        let page = self.oss.list_uploads(&call.ctx, &call.bucket, query.clone()).await?;
        Ok(xml(render::list_uploads(style, &query, &page)))
    }

    pub(super) async fn list_parts(&self, call: &Call<'_>) -> Answer {
        let style = style(call)?;
        let limit = call.count("max-parts", PAGE_MAX, PAGE_MAX)?;
        let after = call.count("part-number-marker", 0, u32::MAX as usize)?;
        let after = u32::try_from(after).unwrap_or(u32::MAX);
        let upload_id = call.text("uploadId");
        let page = self
            .oss
            .list_parts(&call.ctx, (&call.bucket, &call.key, upload_id), after, limit)
            .await?;
        Ok(xml(render::list_parts(style, (&call.key, upload_id), (after, limit), &page)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_token_of_ours_is_taken() {
        for other in ["nonsense", "", "a", "a/b"] {
            assert!(untoken(other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_token_comes_back(key: String) {
            prop_assert_eq!(untoken(&token(&key)).ok(), Some(key));
        }

        #[test]
        fn any_text_is_taken(text: String) {
            let _ = untoken(&text);
        }
    }
}
