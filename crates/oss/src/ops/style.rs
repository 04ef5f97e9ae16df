//! Styles of images of a bucket (OSS): named instructions, kept and told. They are one document.
//!
//! Not here: obeying them. Nothing processes images.

use std::collections::BTreeMap;

use base::ApiError;
use engine::Cx;
use serde::{Deserialize, Serialize};

use super::bucket::{require_on, require_to_read};
use super::{RequestCtx, find_bucket, meta};
use crate::access::Need;
use crate::meter::{GETS, PUTS};
use crate::model::Bucket;
use crate::{Oss, error, tables};

/// The name of the document.
const DOCUMENT: &str = "style";
/// A bucket has so many styles at most.
const STYLES_MAX: usize = 50;
const NAME_CHARS_MAX: usize = 64;
const CONTENT_BYTES_MAX: usize = 4096;

/// A style.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style {
    /// What it says, as `image/resize,w_200`.
    pub content: String,
    /// `image`, `document` or `video`.
    pub category: String,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// When it was changed last, Unix seconds.
    pub modified: i64,
}

/// What of a bucket's styles is asked for; each has a permission of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StyleView {
    /// `GetStyle`, of this name.
    One(String),
    /// `ListStyle`.
    All,
}

type Styles = BTreeMap<String, Style>;

impl Oss {
    /// Styles of a bucket, by name.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `NoSuchStyle`.
    pub async fn styles(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        view: StyleView,
    ) -> Result<Styles, ApiError> {
        let name = bucket.to_owned();
        let meta = match view {
            StyleView::One(_) => meta::get_document("GetStyle"),
            StyleView::All => meta::get_document("ListStyle"),
        };
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let mut styles = read(cx, &bucket)?;
            if let StyleView::One(name) = &view {
                styles.retain(|known, _| known == name);
                if styles.is_empty() {
                    return Err(no_such_style(name));
                }
            }
            Ok((bucket, styles))
        };
        Ok(self.read(ctx, (meta, GETS), bucket, find).await?.found)
    }

    /// Stores a style in place of the one of that name.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`; `InvalidArgument` for a name or content that is not valid and for too
    /// many of them.
    pub async fn put_style(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        style: &str,
        (content, category): (&str, &str),
    ) -> Result<(), ApiError> {
        let (bucket, style) = (bucket.to_owned(), style.to_owned());
        let (content, category) = (content.to_owned(), category.to_owned());
        check(&style, &content)?;
        let put = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &bucket)?;
            require_on(cx, &bucket, Need::Own)?;
            let now = cx.now.secs();
            let mut styles = read(cx, &bucket)?;
            let created = styles.get(&style).map_or(now, |before| before.created);
            let (content, category) = (content.clone(), category.clone());
            styles.insert(style.clone(), Style { content, category, created, modified: now });
            if styles.len() > STYLES_MAX {
                let text = format!("A bucket has {STYLES_MAX} styles at most.");
                return Err(error::INVALID_ARGUMENT.error(text));
            }
            write(cx, &bucket, &styles, &style)
        };
        self.0.cloud.write(ctx.session(meta::put_document("PutStyle")), put).await
    }

    /// Deletes a style, whether there is one of that name or not.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn delete_style(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        style: &str,
    ) -> Result<(), ApiError> {
        let (bucket, style) = (bucket.to_owned(), style.to_owned());
        let delete = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &bucket)?;
            require_on(cx, &bucket, Need::Own)?;
            let mut styles = read(cx, &bucket)?;
            styles.remove(&style);
            write(cx, &bucket, &styles, &style)
        };
        self.0.cloud.write(ctx.session(meta::put_document("DeleteStyle")), delete).await
    }
}

fn no_such_style(name: &str) -> ApiError {
    ApiError::new(&error::NO_SUCH_STYLE).field("StyleName", name)
}

fn check(name: &str, content: &str) -> Result<(), ApiError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(known) {
        return Err(error::INVALID_ARGUMENT.error("Style name is invalid."));
    }
    let fits = (1..=CONTENT_BYTES_MAX).contains(&content.len());
    if !fits || content.chars().any(char::is_control) {
        return Err(error::INVALID_ARGUMENT.error("Style content is invalid."));
    }
    Ok(())
}

fn read(cx: &mut Cx<'_>, bucket: &Bucket) -> Result<Styles, ApiError> {
    let kept = tables::bucket::document(cx.tx(), bucket.id, DOCUMENT)?;
    kept.map_or_else(
        || Ok(Styles::default()),
        |kept| serde_json::from_str(&kept).map_err(ApiError::internal),
    )
}

fn write(cx: &mut Cx<'_>, bucket: &Bucket, styles: &Styles, name: &str) -> Result<(), ApiError> {
    cx.audit_account(bucket.owner);
    cx.audit_resource(bucket.arn());
    cx.audit_detail("style", name);
    let kept = serde_json::to_string(styles).map_err(ApiError::internal)?;
    tables::bucket::set_document(cx.tx(), bucket.id, DOCUMENT, &kept)?;
    cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
    Ok(())
}
