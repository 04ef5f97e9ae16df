//! Enrolment: makes the directory that a node on another machine begins with. Talks to nobody; how the directory gets
//! there is the operator's business, and that node's own is [`crate::node`].

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use engine::files::write_whole;
use engine::server::authority::{self, Authority, Purpose};

use super::Places;

/// Why a node is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum Enrollment {
    /// The configuration knows no such data centre.
    #[error("there is no data centre {0:?}; the configuration names {1}")]
    Unknown(String, String),
    /// Nobody can come to that address.
    #[error(
        "{0} is no address to come to: give that of the machine, and the port that the node is to have"
    )]
    Nowhere(SocketAddr),
    /// The directory is there.
    #[error("{} is there already: give the path of a directory to make, or remove that one", .0.display())]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("write to {path}: {error}", path = .0.display(), error = .1)]
    File(PathBuf, #[source] std::io::Error),
    /// The certificate could not be made.
    #[error(transparent)]
    Authority(#[from] authority::Error),
}

/// Makes `dir` with all that the node of `site` needs to answer at `address`: its configuration, a certificate for a
/// year with its key, and the certificate of the cloud's authority. The configuration names files within, so that the
/// directory may be copied to any path.
///
/// # Errors
/// See [`Enrollment`]; nothing is left then.
pub fn enroll(
    places: &Places,
    authority: &Authority,
    site: &str,
    address: SocketAddr,
    dir: &Path,
) -> Result<(), Enrollment> {
    if !places.sites.iter().any(|known| known == site) {
        return Err(Enrollment::Unknown(site.to_owned(), places.sites.join(", ")));
    }
    if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
        return Err(Enrollment::Nowhere(address));
    }
    let failed = |error| Enrollment::File(dir.to_owned(), error);
    // Users of servers pass through it; what is secret in it is private by itself.
    DirBuilder::new().mode(0o711).create(dir).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Enrollment::Exists(dir.to_owned()),
        _ => failed(error),
    })?;
    let filled = fill(places, authority, site, address, dir);
    if filled.is_err() {
        fs::remove_dir_all(dir).map_err(failed)?;
    }
    filled
}

fn fill(
    places: &Places,
    authority: &Authority,
    site: &str,
    address: SocketAddr,
    dir: &Path,
) -> Result<(), Enrollment> {
    let names = [format!("{site}.node.awan"), address.ip().to_string()];
    let issued = authority.issue(&names, Purpose::Server)?;
    let config = serde_json::json!({
        "name": site,
        "site": site,
        "listen": address,
        "ca": "ca.pem",
        "cert": "node-cert.pem",
        "key": "node-key.pem",
        "store": "engines",
        "uid_range": places.users(site),
    });
    let read =
        |path: &Path| fs::read(path).map_err(|error| Enrollment::File(path.to_owned(), error));
    let files = [
        ("ca.pem", read(&authority.certificate)?, 0o644),
        ("node-cert.pem", issued.certificate.into_bytes(), 0o644),
        ("node-key.pem", issued.key.expose().clone().into_bytes(), 0o600),
        ("node-config.json", format!("{config:#}\n").into_bytes(), 0o600),
    ];
    for (name, bytes, mode) in files {
        let path = dir.join(name);
        write_whole(&path, &bytes, mode).map_err(|error| Enrollment::File(path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use base::SystemClock;

    use super::*;
    use crate::node::Config;
    use crate::node::trust::Trust;

    #[test]
    fn a_node_starts_from_its_directory_wherever_that_was_copied_to() {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::open(home.path(), Arc::new(SystemClock)).unwrap();
        let sites = ["jkt-a", "jkt-b", "jkt-c"].map(str::to_owned).to_vec();
        let places = Places { sites, home: home.path().join("rds"), ..Places::default() };
        let address: SocketAddr = "10.1.2.3:7300".parse().unwrap();
        let made = home.path().join("made");
        enroll(&places, &authority, "jkt-b", address, &made).unwrap();
        let copy = home.path().join("copy");
        fs::rename(&made, &copy).unwrap();
        let config = Config::read(&copy).unwrap();
        assert_eq!(
            (config.site.as_str(), config.listen, config.advertise),
            ("jkt-b", address, None)
        );
        assert_eq!(
            (config.key.clone(), config.store.clone()),
            (copy.join("node-key.pem"), copy.join("engines"))
        );
        let mode = |name: &str| fs::metadata(copy.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(""), mode("node-key.pem"), mode("node-config.json")),
            (0o711, 0o600, 0o600)
        );
        Trust::read(&config).unwrap().acceptor().unwrap();
        let (others, own) = (places.users("jkt-a"), config.uid_range);
        assert!(own.1 <= others.0 || others.1 <= own.0, "{own:?} and {others:?}");
    }

    #[test]
    fn what_cannot_be_enrolled_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::open(home.path(), Arc::new(SystemClock)).unwrap();
        let places = Places { sites: vec!["jkt-a".to_owned()], ..Places::default() };
        let dir = home.path().join("dir");
        let refused = |site: &str, address: &str| {
            enroll(&places, &authority, site, address.parse().unwrap(), &dir).unwrap_err()
        };
        assert!(matches!(refused("jkt-b", "10.1.2.3:7300"), Enrollment::Unknown(..)));
        assert!(matches!(refused("jkt-a", "0.0.0.0:7300"), Enrollment::Nowhere(_)));
        assert!(matches!(refused("jkt-a", "10.1.2.3:0"), Enrollment::Nowhere(_)));
        assert!(!dir.exists());
        fs::create_dir(&dir).unwrap();
        assert!(matches!(refused("jkt-a", "10.1.2.3:7300"), Enrollment::Exists(_)));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[test]
    fn a_data_centre_that_has_instances_here_is_not_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let remote = [("jkt-b".to_owned(), "10.1.2.3:7300".parse().unwrap())].into();
        let places = Places { remote, home: home.path().to_owned(), ..Places::default() };
        fs::create_dir_all(home.path().join("jkt-a/instances/pgm-1")).unwrap();
        fs::create_dir_all(home.path().join("jkt-b/instances")).unwrap();
        assert_eq!(places.astray(), None);
        fs::create_dir(home.path().join("jkt-b/instances/pgm-2")).unwrap();
        assert_eq!(places.astray(), Some("jkt-b"));
    }
}
