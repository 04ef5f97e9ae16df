//! Access control lists: canned words and grants in headers, documents, and the operations on them. OSS has
//! words only, and tells of a list of grants the one that comes nearest.

use base::ApiError;
use http::StatusCode;
use wire::Head;
use wire::object::body::{self, SMALL_BYTES_MAX};
use wire::object::{Dialect, error};

use super::call::{Call, Payload};
use super::headers::{bad_acl, names};
use super::render::{self, ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY, Style};
use super::respond::{empty, xml};
use super::{Answer, Storage};
use crate::acl::{AccessList, GRANTS_MAX, Grant, Grantee, Permission};
use crate::model::Acl;
use crate::ops::BucketView;

/// `UnresolvableGrantByEmailAddress`, status 400: no account here has a mail address.
static NO_SUCH_EMAIL: base::Code = base::Code::new(
    "UnresolvableGrantByEmailAddress",
    400,
    "The e-mail address does not match any account on record.",
);

/// `MalformedACLError`, status 400.
static MALFORMED: base::Code =
    base::Code::new("MalformedACLError", 400, "The list of grants is not valid.");

/// The headers that grant, in the order in which their grants are told.
const GRANTS: [(&str, Permission); 5] = [
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcl),
    ("x-amz-grant-write-acp", Permission::WriteAcl),
    ("x-amz-grant-full-control", Permission::FullControl),
];

impl Storage {
    pub(super) async fn bucket_acl(&self, call: &Call<'_>) -> Answer {
        let bucket = self.oss.bucket(&call.ctx, &call.bucket, BucketView::Acl).await?;
        let word = bucket.acl.plain().as_str();
        Ok(xml(render::acl(Style::plain(call.dialect), bucket.owner, word, &bucket.grants())))
    }

    pub(super) async fn put_bucket_acl(&self, call: &Call<'_>, payload: Payload) -> Answer {
        super::headers::check_understood(call.head.headers, call.dialect)?;
        let mut list = of_bucket(&call.head, call.dialect)?;
        if !list.is_given() {
            list = document(call, payload).await?;
        }
        self.oss.set_bucket_acl(&call.ctx, &call.bucket, list).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn object_acl(&self, call: &Call<'_>) -> Answer {
        let (bucket, info) = self.oss.object_access(&call.ctx, &call.bucket, call.at()?).await?;
        let own = info.acl.filter(|_| !bucket.is_enforced());
        let word = own.map_or("default", |acl| acl.plain().as_str());
        let (owner, grants) = (bucket.owner_of(&info), bucket.grants_of(&info));
        let mut response = xml(render::acl(Style::plain(call.dialect), owner, word, &grants));
        call.put_version(response.headers_mut(), info.version);
        Ok(response)
    }

    pub(super) async fn put_object_acl(&self, call: &Call<'_>, payload: Payload) -> Answer {
        super::headers::check_understood(call.head.headers, call.dialect)?;
        let mut list = of_object(&call.head, call.dialect)?;
        // `default` is a word that gives none.
        if !list.is_given() && !call.head.headers.contains_key(names(call.dialect).object_acl) {
            list = document(call, payload).await?;
        }
        self.oss.set_object_acl(&call.ctx, &call.bucket, call.at()?, list).await?;
        Ok(empty(StatusCode::OK))
    }
}

/// The list in the body of a request.
///
/// Errors: `InvalidArgument` in OSS, which has none there; `MalformedXML`; as [`grantee`].
async fn document(call: &Call<'_>, payload: Payload) -> Result<AccessList, ApiError> {
    if call.is_oss() {
        return Err(error::INVALID_ARGUMENT.error("The header that names the ACL is missing."));
    }
    let list = body::access_control(&call.read(payload, SMALL_BYTES_MAX).await?)?;
    list_of(&list)
}

fn list_of(list: &body::AccessControl) -> Result<AccessList, ApiError> {
    let grant = |grant: &body::Grant| {
        let to = match &grant.grantee {
            body::Grantee::Id(id) => account(id)?,
            body::Grantee::Group(uri) => group(uri)?,
            body::Grantee::Email(_) => return Err(ApiError::new(&NO_SUCH_EMAIL)),
        };
        let permission =
            Permission::parse(&grant.permission).ok_or_else(|| ApiError::new(&MALFORMED))?;
        Ok(Grant { to, permission })
    };
    checked(list.grants.iter().map(grant).collect::<Result<_, ApiError>>()?)
}

fn checked(grants: Vec<Grant>) -> Result<AccessList, ApiError> {
    if grants.len() > GRANTS_MAX {
        let long = format!("A list has {GRANTS_MAX} grants at most.");
        return Err(MALFORMED.error(long));
    }
    Ok(AccessList::of(grants))
}

fn account(id: &str) -> Result<Grantee, ApiError> {
    let refused = || error::INVALID_ARGUMENT.error("Invalid id").field("ArgumentValue", id);
    id.parse().map(Grantee::Account).map_err(|()| refused())
}

fn group(uri: &str) -> Result<Grantee, ApiError> {
    match uri {
        ALL_USERS => Ok(Grantee::Everybody),
        AUTHENTICATED_USERS => Ok(Grantee::Authenticated),
        LOG_DELIVERY => Ok(Grantee::LogDelivery),
        _ => Err(error::INVALID_ARGUMENT.error("Invalid group uri").field("ArgumentValue", uri)),
    }
}

/// The list that a new bucket's headers give.
///
/// Errors: `InvalidArgument`; `InvalidRequest` for both a word and grants.
pub(super) fn of_bucket(head: &Head<'_>, dialect: Dialect) -> Result<AccessList, ApiError> {
    let of_objects = |acl: &Acl| matches!(acl, Acl::BucketOwnerRead | Acl::BucketOwnerFullControl);
    let word = head.header(names(dialect).bucket_acl).map(|word| {
        Acl::parse(word)
            .filter(|acl| (dialect == Dialect::S3 || acl.plain() == *acl) && !of_objects(acl))
            .ok_or_else(|| bad_acl(word))
    });
    given(head, dialect, word.transpose()?)
}

/// The list that a new object's headers give.
///
/// Errors: as [`of_bucket`].
pub(super) fn of_object(head: &Head<'_>, dialect: Dialect) -> Result<AccessList, ApiError> {
    let word = head.header(names(dialect).object_acl);
    given(head, dialect, word.map_or(Ok(None), |word| object_word(word, dialect))?)
}

/// Reads a canned ACL of an object; none for OSS's `default`.
///
/// Errors: `InvalidArgument`; `NotImplemented` for S3's `aws-exec-read`, which names what we do not have.
pub(super) fn object_word(word: &str, dialect: Dialect) -> Result<Option<Acl>, ApiError> {
    match (dialect, word) {
        (Dialect::Oss, "default") => Ok(None),
        (Dialect::S3, "aws-exec-read") => Err(ApiError::new(&error::NOT_IMPLEMENTED)),
        _ => Acl::parse(word)
            .filter(|acl| match dialect {
                Dialect::Oss => acl.plain() == *acl,
                Dialect::S3 => *acl != Acl::LogDeliveryWrite,
            })
            .map(Some)
            .ok_or_else(|| bad_acl(word)),
    }
}

fn given(head: &Head<'_>, dialect: Dialect, word: Option<Acl>) -> Result<AccessList, ApiError> {
    let mut grants = Vec::new();
    for (header, permission) in GRANTS.into_iter().filter(|_| dialect == Dialect::S3) {
        let Some(value) = head.header(header) else { continue };
        grants.extend(grantees(value)?.into_iter().map(|to| Grant { to, permission }));
    }
    match (word, grants.is_empty()) {
        (word, true) => Ok(AccessList::from(word)),
        (None, false) => checked(grants),
        (Some(_), false) => Err(error::INVALID_REQUEST
            .error("Specifying both Canned ACLs and Header Grants is not allowed")),
    }
}

/// Reads whom a header grants something: `id="1000000000000001", uri="…"`.
///
/// Errors: `InvalidArgument`; `UnresolvableGrantByEmailAddress`.
fn grantees(value: &str) -> Result<Vec<Grantee>, ApiError> {
    let one = |part: &str| {
        let refused =
            || error::INVALID_ARGUMENT.error("A grant is not valid.").field("ArgumentValue", part);
        let (kind, name) = part.split_once('=').ok_or_else(refused)?;
        let name = name.trim().trim_matches('"');
        match kind.trim() {
            "id" => account(name),
            "uri" => group(name),
            "emailAddress" => Err(ApiError::new(&NO_SUCH_EMAIL)),
            _ => Err(refused()),
        }
    };
    value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use base::AccountId;
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Result<AccessList, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let head = Head { method: "PUT", path: "/b/k", query: "", headers: &map };
        of_object(&head, Dialect::S3)
    }

    #[test]
    fn headers_grant_in_the_order_of_the_permissions() {
        let list = read(&[
            ("x-amz-grant-full-control", "id=\"1000000000000002\", id=1000000000000003"),
            ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""),
        ]);
        let to = |number| Grantee::Account(AccountId::new(number));
        let all = Permission::FullControl;
        let grants = vec![
            Grant { to: Grantee::Everybody, permission: Permission::Read },
            Grant { to: to(1_000_000_000_000_002), permission: all },
            Grant { to: to(1_000_000_000_000_003), permission: all },
        ];
        assert_eq!(list.unwrap(), AccessList { acl: Some(Acl::PublicRead), grants: Some(grants) });
    }

    #[test]
    fn what_cannot_be_granted_is_refused() {
        let code = |headers: &[(&'static str, &str)]| read(headers).unwrap_err().code().to_owned();
        assert_eq!(code(&[("x-amz-grant-read", "id=_foo")]), "InvalidArgument");
        assert_eq!(code(&[("x-amz-grant-read", "all")]), "InvalidArgument");
        assert_eq!(code(&[("x-amz-grant-read", "uri=http://x")]), "InvalidArgument");
        let email = [("x-amz-grant-read", "emailAddress=a@example.org")];
        assert_eq!(code(&email), "UnresolvableGrantByEmailAddress");
        let both = [("x-amz-grant-read", "id=1000000000000002"), ("x-amz-acl", "private")];
        assert_eq!(code(&both), "InvalidRequest");
        let many = vec!["id=1000000000000002"; GRANTS_MAX + 1].join(",");
        assert_eq!(code(&[("x-amz-grant-read", &many)]), "MalformedACLError");
        assert_eq!(code(&[("x-amz-acl", "aws-exec-read")]), "NotImplemented");
    }

    proptest! {
        #[test]
        fn any_header_is_a_list_or_refused(value: String) {
            if let Ok(to) = grantees(&value) {
                prop_assert!(to.len() <= value.len());
            }
        }
    }
}
