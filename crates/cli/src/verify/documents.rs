//! Public documents, found by their SHA-256: in a directory or on the portal. Whatever the place
//! answers is held against the name, so it need not be trusted.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::log::is_address;
use crate::http::Http;
use crate::profile::Profile;

/// Names under which a document may lie: a release is JSON, its signatures are text.
const ENDINGS: [&str; 3] = [".json", ".txt", ""];

enum Place {
    Directory(PathBuf),
    Web { http: Http, base: String },
}

/// The places where documents are looked for.
pub(crate) struct Documents {
    places: Vec<Place>,
}

impl Documents {
    /// Where the user says; else beside the log; else on the portal that the cloud's file names.
    ///
    /// # Errors
    /// Where an address is none, or TLS is asked for and no authority is known.
    pub fn find(profile: &Profile, given: Option<&str>, log: Option<&str>) -> Result<Self> {
        let mut places = Vec::new();
        let web = |base: String| -> Result<Place> {
            let http = Http::to(&[&base], profile.ca_cert.as_deref(), 1)?;
            Ok(Place::Web { http, base })
        };
        let beside = log.map(|log| log.trim_end_matches('/'));
        match (given, beside) {
            (Some(place), _) if is_address(place) => {
                places.push(web(place.trim_end_matches('/').to_owned())?);
            }
            (Some(place), _) => places.push(Place::Directory(place.into())),
            (None, Some(log)) if is_address(log) => {
                let base = log.strip_suffix("/log").unwrap_or(log);
                places.push(web(format!("{base}/documents"))?);
            }
            (None, Some(log)) => {
                places.push(Place::Directory(Path::new(log).join("documents")));
                places.push(Place::Directory(Path::new(log).join("../documents")));
            }
            (None, None) => {}
        }
        if let (true, Some((_, cloud))) = (places.is_empty(), &profile.cloud) {
            let portals = ["portal", "console"].into_iter();
            for address in portals.filter_map(|name| cloud.endpoints.get(name)) {
                places.push(web(format!("{}/documents", address.trim_end_matches('/')))?);
            }
        }
        Ok(Self { places })
    }

    /// In one directory.
    #[cfg(test)]
    pub fn in_directory(dir: &Path) -> Self {
        Self { places: vec![Place::Directory(dir.to_owned())] }
    }

    /// The document of that SHA-256 (lower-case hexadecimal).
    ///
    /// # Errors
    /// In words: it is nowhere, or what is there is something else.
    pub fn fetch(&self, digest: &str) -> Result<Vec<u8>, String> {
        // The name comes out of a leaf, and becomes part of a path.
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if digest.len() != 64 || !digest.chars().all(is_hex) {
            return Err(format!("\"{digest}\" names no document"));
        }
        let mut trouble = None;
        for place in &self.places {
            for ending in ENDINGS {
                match place.fetch(&format!("{digest}{ending}")) {
                    Ok(None) => {}
                    Ok(Some(bytes)) => {
                        let found = terms::canonical::sha256(&bytes);
                        if found == digest {
                            return Ok(bytes);
                        }
                        trouble = Some(format!(
                            "document {digest} was changed: what is there has the digest {found}"
                        ));
                    }
                    Err(why) => trouble = Some(format!("document {digest}: {why}")),
                }
            }
        }
        Err(trouble.unwrap_or_else(|| format!("document {digest} is not there")))
    }
}

impl Place {
    fn fetch(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Directory(dir) => match std::fs::read(dir.join(name)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            Self::Web { http, base } => match http.fetch(&format!("{base}/{name}")) {
                Ok((200, bytes)) => Ok(Some(bytes)),
                Ok((404, _)) => Ok(None),
                Ok((status, _)) => Err(format!("HTTP {status}")),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}
