//! The layout of a node's directory:
//!
//! ```text
//! lock, node-config.json, node.json
//! templates/<engine>-<build>-<hash>/
//! instances/<id>/spec.json (0600)  state.json  server.log  data/  log/  conf/  seed/  wal/  run/
//! ```
//!
//! What is in `data` is the driver's business. The directories of an instance are its server's user's; what the node
//! itself opens by name for writing is beside them, where that user puts nothing, and what it reads there it reads
//! without following links ([`read_end`]).

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::{Doing, Error, Result};
use super::process::User;

/// A unix socket's path has to fit into 108 bytes with its end; so much is left for names in a directory.
const SOCKET_DIR_MAX: usize = 84;

/// A node's directory.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Makes what is missing of it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root)?;
        for dir in [root.clone(), root.join("templates"), root.join("instances")] {
            fs::create_dir_all(&dir).doing(dir.display())?;
            // Servers run as users of their own, who have to pass through and see nothing.
            fs::set_permissions(&dir, Permissions::from_mode(0o711)).doing(dir.display())?;
        }
        Ok(Self { root })
    }

    /// Makes sure that users of servers get to their files.
    ///
    /// # Errors
    /// Where a directory above lets nobody else pass.
    pub fn passable(&self) -> Result<()> {
        for dir in self.root.ancestors() {
            if fs::metadata(dir).doing(dir.display())?.mode() & 0o001 == 0 {
                let dir = dir.display();
                return Err(Error::Failed(format!(
                    "servers have users of their own, who may not pass {dir}"
                )));
            }
        }
        Ok(())
    }

    /// Takes the lock that keeps a second node out of it; held while the file lives.
    ///
    /// # Errors
    /// Where another process has it.
    pub fn lock(&self) -> Result<File> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join("lock"))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Error::Failed(format!("{} has a node already", self.root.display())))?;
        Ok(file)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where warm templates are.
    pub fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// The directory of an instance, whether it is there or not.
    ///
    /// # Errors
    /// [`Error::Unknown`] where that cannot be the id of one.
    pub fn instance(&self, id: &str) -> Result<InstanceDir> {
        if !valid_id(id) {
            return Err(Error::Unknown(format!("{id:?} is no id")));
        }
        let path = self.root.join("instances").join(id);
        let digest =
            ring::digest::digest(&ring::digest::SHA256, path.as_os_str().as_encoded_bytes());
        let key: String =
            digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut run = path.join("run");
        if run.as_os_str().len() > SOCKET_DIR_MAX {
            run = PathBuf::from(format!("/tmp/awan-db-{key}"));
        }
        Ok(InstanceDir { path, run, key })
    }

    /// The ids of all instances that have a directory.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn ids(&self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(self.root.join("instances"))? {
            if let Ok(name) = entry?.file_name().into_string()
                && valid_id(&name)
            {
                ids.push(name);
            }
        }
        ids.sort();
        Ok(ids)
    }
}

/// Ids are what the control plane makes: `pgm-…`. They become names of directories and cgroups.
fn valid_id(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=64).contains(&id.len()) && id.chars().all(fits) && !id.starts_with('-')
}

/// The directory of an instance.
#[derive(Clone, Debug)]
pub struct InstanceDir {
    path: PathBuf,
    run: PathBuf,
    key: String,
}

impl InstanceDir {
    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name that no other directory of this machine has.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where the engine's data is.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where configuration is that the engine reads and the tenant does not see.
    pub fn conf(&self) -> PathBuf {
        self.path.join("conf")
    }

    /// Where logs are.
    pub fn logs(&self) -> PathBuf {
        self.path.join("log")
    }

    /// What the server writes to its standard error. It gets the file open, and does not reach it by its name.
    pub fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// Where a sent backup is before it is data.
    pub fn seed(&self) -> PathBuf {
        self.path.join("seed")
    }

    /// Where files of the log are that recovery replays.
    pub fn wal(&self) -> PathBuf {
        self.path.join("wal")
    }

    /// Where the unix socket is: short enough for one.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Makes the directories that a server needs, for the user that it runs as.
    ///
    /// # Errors
    /// Where they cannot be made, or where somebody else has made the directory for the socket.
    pub fn make(&self, user: Option<User>) -> Result<()> {
        make_dir(&self.path, 0o711, None)?;
        for dir in [self.conf(), self.logs(), self.seed(), self.wal(), self.run.clone()] {
            make_dir(&dir, 0o700, user)?;
        }
        Ok(())
    }

    /// Removes everything, whatever is or is not there.
    ///
    /// # Errors
    /// Where something stays.
    pub fn remove(&self) -> Result<()> {
        for dir in [&self.run, &self.path] {
            remove_dir(dir)?;
        }
        Ok(())
    }
}

/// Makes a directory of that mode and owner, or makes sure that it is one.
///
/// # Errors
/// Where it cannot be made, or is somebody else's.
pub fn make_dir(path: &Path, mode: u32, user: Option<User>) -> Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.doing(path.display())?,
    }
    let found = fs::symlink_metadata(path).doing(path.display())?;
    let us = rustix::process::geteuid().as_raw();
    let ours = found.uid() == us || user.is_some_and(|user| user.uid == found.uid());
    if !found.is_dir() || !ours {
        return Err(Error::Failed(format!("{} is not ours", path.display())));
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).doing(path.display())?;
    own(path, user)
}

/// Gives one file or directory to a user.
///
/// # Errors
/// Where we may not.
pub fn own(path: &Path, user: Option<User>) -> Result<()> {
    if let Some(user) = user {
        std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)).doing(path.display())?;
    }
    Ok(())
}

/// Gives a whole tree to a user.
///
/// # Errors
/// Where we may not.
pub fn own_tree(path: &Path, user: Option<User>) -> Result<()> {
    if user.is_none() {
        return Ok(());
    }
    own(path, user)?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            own_tree(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// Removes a directory and everything in it; it need not be there.
///
/// # Errors
/// Where something of it stays.
pub fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.doing(path.display()),
    }
}

/// Removes a file; it need not be there.
///
/// # Errors
/// Where it stays.
pub fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.doing(path.display()),
    }
}

/// Writes a whole file durably, or leaves the old one: for readers there is never half of it.
///
/// # Errors
/// Where it cannot be written.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, user: Option<User>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    remove_file(&new)?;
    let mut file =
        File::options().create_new(true).write(true).mode(mode).open(&new).doing(new.display())?;
    file.write_all(bytes)?;
    own(&new, user)?;
    file.sync_all()?;
    fs::rename(&new, path).doing(path.display())?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent)?.sync_all()?;
    Ok(())
}

/// The end of a file of a server's, no more than `limit` bytes. Its directory is the server's user's, who could put
/// a link or a pipe there: such is not read.
///
/// # Errors
/// Where it is not there, is no file, or cannot be read.
pub fn read_end(path: &Path, limit: u64) -> io::Result<String> {
    let careful = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(careful.bits()).unwrap_or_default();
    let mut file = File::options().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other(format!("{} is no file", path.display())));
    }
    file.seek(SeekFrom::Start(found.len().saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes of all files below, as they lie on the disk; what vanishes meanwhile counts nothing.
pub fn size(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else { return 0 };
    let below = if found.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| size(&entry.path())).sum()
    } else {
        0
    };
    found.blocks() * 512 + below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_file_is_read_and_links_are_not_followed() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let (file, link) = (dir.path().join("a.log"), dir.path().join("b.log"));
        fs::write(&file, "one two")?;
        std::os::unix::fs::symlink(&file, &link)?;
        assert_eq!(read_end(&file, 3)?, "two");
        assert!(read_end(&link, 3).is_err(), "a link may lead anywhere");
        assert!(read_end(dir.path(), 3).is_err(), "no file");
        Ok(())
    }
}
