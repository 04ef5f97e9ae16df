//! A Merkle transparency log in the C2SP formats: what a log writes, and all that an outside auditor
//! needs to check it.
//!
//! | module         | owns                                                              | specification            |
//! |----------------|-------------------------------------------------------------------|--------------------------|
//! | [`hash`]       | leaf and node hashes                                              | RFC 6962, 2.1            |
//! | [`tree`]       | roots, inclusion and consistency proofs: made and verified        | RFC 6962, 2.1; RFC 9162  |
//! | [`tile`]       | names of tiles and entry bundles, and their bytes                 | c2sp.org/tlog-tiles      |
//! | [`edge`]       | the unfinished tiles on the right of a growing tree               | –                        |
//! | [`note`]       | signed notes, keys and their text forms                           | c2sp.org/signed-note     |
//! | [`checkpoint`] | origin, size and root, signed                                     | c2sp.org/tlog-checkpoint |
//! | [`proof`]      | the self-contained `.tlog-proof` file                             | c2sp.org/tlog-proof      |
//! | [`files`]      | where the files live: a directory, or what a caller puts there    | –                        |
//! | [`publish`]    | appending entries, crash-safe                                     | c2sp.org/tlog-tiles      |
//! | [`read`]       | entries and proofs out of the files, nothing trusted unverified   | c2sp.org/tlog-tiles      |
//! | [`audit`]      | checking every entry and tile of a log, naming what is wrong      | –                        |
//!
//! A log is a directory of plain files, so any web server can serve it. Trust rests on one thing,
//! the Ed25519 key that signs the checkpoint: whoever alters a file can cause an outage, never a lie.
//!
//! Deliberately absent: what the entries mean, the order in which they arrive, HTTP, and witnesses.

pub mod audit;
pub mod checkpoint;
pub mod edge;
pub mod files;
pub mod hash;
pub mod note;
pub mod proof;
pub mod publish;
pub mod read;
pub mod tile;
pub mod tree;

#[cfg(test)]
mod testing;

pub use audit::{Audit, Fault};
pub use checkpoint::Checkpoint;
pub use files::{Directory, DirectoryWriter, Fetch, Store};
pub use hash::Hash;
pub use note::{Note, Signer, Verifier};
pub use proof::Proof;
pub use publish::Publisher;
pub use read::Reader;
pub use tile::Tile;
