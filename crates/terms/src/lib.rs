//! What an agreement between the provider and a tenant says, as pure data and arithmetic.
//!
//! | module      | owns                                                                        |
//! |-------------|-----------------------------------------------------------------------------|
//! | [`canonical`] | the one byte form of a document (RFC 8785) and its digest                 |
//! | [`clauses`] | the `sovereign` extension: services, places, levels, rights and duties      |
//! | [`defaults`] | the clauses and prices that a new agreement begins with                   |
//! | [`extension`] | the published description of the clauses, as files                       |
//! | [`history`] | when which release binds, from what was published, begun and ended          |
//! | [`prices`]  | the price book, and what a quantity costs by it, to the micro-unit          |
//! | [`release`] | an Open Contracting Data Standard 1.1.5 release that holds the clauses       |
//! | [`signature`] | both parties' signatures over a release, as a signed note (C2SP)          |
//! | [`statement`] | what a tenant signs besides releases                                    |
//! | [`text`]    | what text in public never holds                                             |
//! | [`redact`]  | withheld fields as salted commitments                                       |
//! | [`visible`](mod@visible) | characters that deceive a reader, shown as escapes             |
//!
//! Deliberately absent: who has which agreement, when it is enforced, the database, the network. The
//! crate is used by those who enforce (`agreement`), who bill (`billing`) and who check from outside
//! (`cli`, `portal`), so that there is one reading of a clause.

pub mod canonical;
pub mod clauses;
pub mod defaults;
pub mod extension;
pub mod history;
mod iso;
pub mod prices;
pub mod redact;
pub mod release;
pub mod signature;
pub mod statement;
#[cfg(test)]
mod testing;
pub mod text;
pub mod visible;

use std::sync::Arc;

use base::Time;

pub use clauses::Terms;
pub use prices::PriceBook;
pub use release::Release;
pub use visible::visible;

/// The terms that bind an account at some moment, and which published release says so.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The contracting process, the same through all amendments.
    pub ocid: String,
    /// The release's id, unique within the process.
    pub release: String,
    /// SHA-256 of the release's canonical form, lower-case hexadecimal.
    pub digest: String,
    /// From when the release binds; a whole hour for amendments, so that no hour has two price books.
    pub from: Time,
    /// Until when, exclusively; `None` where it has no end yet.
    pub until: Option<Time>,
    /// The clauses.
    pub terms: Arc<Terms>,
}
