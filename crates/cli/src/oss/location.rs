//! Places that the storage verbs take: `oss://bucket/key`, `s3://bucket/key`, or a path. The scheme
//! chooses the dialect; both reach the same buckets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;

use crate::error::advise;
use crate::object::Dialect;

/// An object, a prefix or a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// By the scheme.
    pub dialect: Dialect,
    /// Empty for the service itself (`oss://`).
    pub bucket: String,
    /// Key or prefix, as it is: nothing in it is decoded. Empty for the bucket itself.
    pub key: String,
}

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file or directory here.
    Local(PathBuf),
    /// In the cloud.
    Remote(Url),
}

impl FromStr for Url {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = "write it as oss://BUCKET/KEY or s3://BUCKET/KEY";
        let (dialect, rest) = match text.split_once("://") {
            Some(("oss", rest)) => (Dialect::Oss, rest),
            Some(("s3", rest)) => (Dialect::S3, rest),
            _ => return Err(advise(format!("\"{text}\" is not a place in object storage"), form)),
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() && !key.is_empty() {
            return Err(advise(format!("\"{text}\" names no bucket"), form));
        }
        // The bucket becomes a piece of a path and must not break out of it.
        if !bucket
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        {
            return Err(advise(
                format!("\"{bucket}\" is not a bucket name"),
                "a bucket name has 3 to 63 lower-case letters, digits and hyphens",
            ));
        }
        if key.len() > 1023 {
            return Err(advise("the key is longer than 1023 bytes", "choose a shorter key"));
        }
        Ok(Self { dialect, bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.dialect, self.bucket, self.key)
    }
}

impl Url {
    /// The bucket, for verbs that need one.
    ///
    /// # Errors
    /// Where none is named.
    pub fn bucket(&self) -> Result<&str> {
        match self.bucket.as_str() {
            "" => Err(advise(format!("{self} names no bucket"), "write it as oss://BUCKET/…")),
            bucket => Ok(bucket),
        }
    }

    /// Bucket and key, for verbs that act on one object.
    ///
    /// # Errors
    /// Where one of them is not named.
    pub fn object(&self) -> Result<(&str, &str)> {
        let bucket = self.bucket()?;
        match self.key.as_str() {
            "" => Err(advise(
                format!("{self} names a bucket, not an object"),
                "add the key: oss://BUCKET/KEY",
            )),
            key => Ok((bucket, key)),
        }
    }
}

impl FromStr for Location {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("oss://") || text.starts_with("s3://") {
            text.parse().map(Self::Remote)
        } else if text.contains("://") {
            Err(advise(
                format!("\"{text}\" is neither a path nor oss:// nor s3://"),
                "write a path as ./NAME",
            ))
        } else {
            Ok(Self::Local(PathBuf::from(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, dialect: Dialect, bucket: &str, key: &str) {
        let url: Url = text.parse().unwrap();
        assert_eq!(url, Url { dialect, bucket: bucket.to_owned(), key: key.to_owned() }, "{text}");
    }

    #[test]
    fn the_scheme_chooses_the_dialect_and_the_key_stays_as_it_is() {
        check("oss://", Dialect::Oss, "", "");
        check("s3://b-1", Dialect::S3, "b-1", "");
        check("oss://b/", Dialect::Oss, "b", "");
        check("s3://b/a//b/../%2F?x#y é", Dialect::S3, "b", "a//b/../%2F?x#y é");
    }

    #[test]
    fn what_is_no_place_in_storage_is_refused() {
        for text in [
            "",
            "b/k",
            "http://b/k",
            "oss:///k",
            "oss://B/k",
            "oss://../k",
            "oss://a b/k",
            "oss://a?b",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
        assert!(format!("oss://b/{}", "k".repeat(1024)).parse::<Url>().is_err());
    }

    #[test]
    fn a_copy_may_name_a_path() {
        assert_eq!("./a b".parse::<Location>().unwrap(), Location::Local("./a b".into()));
        assert!(matches!("s3://b/k".parse::<Location>().unwrap(), Location::Remote(_)));
        assert!("gs://b/k".parse::<Location>().is_err());
    }

    #[test]
    fn verbs_on_one_object_want_a_key() {
        let url: Url = "oss://b".parse().unwrap();
        assert_eq!(url.bucket().unwrap(), "b");
        assert!(url.object().unwrap_err().to_string().contains("names a bucket"));
        assert!("oss://".parse::<Url>().unwrap().bucket().is_err());
    }

    proptest! {
        #[test]
        fn a_place_comes_back_from_its_text(bucket in "[a-z0-9-]{3,20}", key in "[^\u{0}]{0,60}") {
            let url = Url { dialect: Dialect::Oss, bucket, key };
            prop_assert_eq!(url.to_string().parse::<Url>().unwrap(), url);
        }

        #[test]
        fn any_text_is_taken_without_panic(text: String) {
            let _ = text.parse::<Location>();
        }
    }
}
