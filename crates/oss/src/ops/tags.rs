//! Taking some tags off a bucket (OSS). To set and to delete all of them is a matter of its document.

use base::ApiError;
use engine::Cx;
use wire::object::body;
use wire::object::xml::Writer;

use super::bucket::require_on;
use super::{Document, RequestCtx, find_bucket};
use crate::access::Need;
use crate::meter::PUTS;
use crate::{Oss, tables};

impl Oss {
    /// Takes the tags of these keys off a bucket; those that it has not are none the less gone.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn untag_bucket(
        &self,
        ctx: &RequestCtx,
        name: &str,
        keys: Vec<String>,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let (_, meta) = Document::Tagging.changes();
        let untag = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.audit_detail("document", Document::Tagging.name());
            cx.audit_detail("keys", keys.join(","));
            let document = Document::Tagging.name();
            if let Some(kept) = tables::bucket::document(cx.tx(), bucket.id, document)? {
                let mut tags = body::tagging(kept.as_bytes())?;
                tags.retain(|(key, _)| !keys.contains(key));
                if tags.is_empty() {
                    tables::bucket::delete_document(cx.tx(), bucket.id, document)?;
                } else {
                    tables::bucket::set_document(cx.tx(), bucket.id, document, &told(&tags)?)?;
                }
            }
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta), untag).await
    }
}

/// Tags in the form that they are kept in.
fn told(tags: &[(String, String)]) -> Result<String, ApiError> {
    let mut xml = Writer::new();
    xml.open("Tagging").open("TagSet");
    for (key, value) in tags {
        xml.open("Tag").text("Key", key).text("Value", value).close();
    }
    String::from_utf8(xml.finish()).map_err(|error| ApiError::internal(error.utf8_error()))
}
