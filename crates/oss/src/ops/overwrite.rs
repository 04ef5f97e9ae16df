//! Objects that are written once: what a bucket's rules forbid to be overwritten (OSS).
//!
//! They speak of objects that are there. To delete one and to write it anew is another right.

use base::ApiError;
use engine::{CallerKind, Cx};

use crate::config::{self, Config, overwrite::Overwrite};
use crate::model::Bucket;
use crate::{error, tables};

/// Requires that the caller may write an object in place of the one that is there. Call it only where one is.
///
/// # Errors
/// `FileAlreadyExists`.
pub(super) fn check(cx: &mut Cx<'_>, bucket: &Bucket, key: &str) -> Result<(), ApiError> {
    if !bucket.settings.overwrite_rules {
        return Ok(());
    }
    let kept = tables::bucket::document(cx.tx(), bucket.id, Overwrite::DOCUMENT.name())?;
    let rules: Overwrite = kept.as_deref().map(config::restore).transpose()?.unwrap_or_default();
    let account = cx.caller.account.to_string();
    let whose = match &cx.caller.kind {
        // Nobody has a number; a rule that names all is about them too.
        CallerKind::Anonymous | CallerKind::System => Vec::new(),
        CallerKind::Root => vec![account.as_str()],
        CallerKind::User { id, .. } | CallerKind::AssumedRole { id, .. } => {
            vec![account.as_str(), id.as_str()]
        }
    };
    if rules.forbids(key, &whose) {
        return Err(ApiError::new(&error::FILE_ALREADY_EXISTS).field("Key", key));
    }
    Ok(())
}
