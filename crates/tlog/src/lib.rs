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
//! | [`cosign`]     | cosignatures of witnesses, and their keys                         | c2sp.org/tlog-cosignature |
//! | [`policy`]     | which logs and witnesses count, and how many are enough           | c2sp.org/tlog-policy     |
//! | [`witness`]    | what a witness decides and answers, and what a log makes of it    | c2sp.org/tlog-witness    |
//! | [`proof`]      | the self-contained `.tlog-proof` file                             | c2sp.org/tlog-proof      |
//! | [`files`]      | where the files live: a directory, or what a caller puts there    | –                        |
//! | [`publish`]    | appending entries, crash-safe                                     | c2sp.org/tlog-tiles      |
//! | [`read`]       | entries and proofs out of the files, nothing trusted unverified   | c2sp.org/tlog-tiles      |
//! | [`audit`]      | checking every entry and tile of a log, naming what is wrong      | –                        |
//! | [`mirror`]     | a copy of a log, every entry verified before it is kept           | c2sp.org/tlog-tiles      |
//!
//! A log is a directory of plain files, so any web server can serve it. Trust rests on one thing,
//! the Ed25519 key that signs the checkpoint: whoever alters a file can cause an outage, never a lie.
//!
//! That it shows everybody the same log is what witnesses are for: each cosigns only what follows from
//! what it cosigned before, and a reader's policy says how many of them it wants to hear.
//!
//! Deliberately absent: what the entries mean, the order in which they arrive, and HTTP.

pub mod audit;
pub mod checkpoint;
pub mod cosign;
pub mod edge;
pub mod files;
pub mod hash;
pub mod mirror;
pub mod note;
pub mod policy;
pub mod proof;
pub mod publish;
pub mod read;
mod tail;
pub mod tile;
pub mod tree;
pub mod witness;

#[cfg(test)]
mod testing;

pub use audit::{Audit, Fault};
pub use checkpoint::Checkpoint;
pub use cosign::{Cosigner, CosignerKey};
pub use files::{Directory, DirectoryWriter, Fetch, Store};
pub use hash::Hash;
pub use mirror::Mirror;
pub use note::{Note, Signer, Verifier};
pub use policy::Policy;
pub use proof::Proof;
pub use publish::Publisher;
pub use read::Reader;
pub use tile::Tile;
pub use witness::Witness;
