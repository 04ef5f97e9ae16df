//! The public transparency portal: what the log and the documents that it names say, in pages that
//! anybody can read, without an account and without JavaScript.
//!
//! | module        | owns                                                                            |
//! |---------------|---------------------------------------------------------------------------------|
//! | [`source`]    | where public data comes from: the log's files and documents by digest           |
//! | [`leaf`]      | one entry of the log, read                                                      |
//! | [`model`]     | all entries, folded; pure                                                       |
//! | [`follow`]    | reading the log on, each entry held against the signed root                     |
//! | [`documents`] | releases behind digests, their signatures checked                               |
//! | [`standing`]  | which release binds when, of entries and documents                              |
//! | [`words`]     | Indonesian and English, numbers, money, dates                                   |
//! | [`map`]       | the map of Indonesia                                                            |
//! | [`page`]      | the pages                                                                       |
//! | [`csv`]       | the same as lists for spreadsheets                                              |
//! | [`route`], [`site`], [`door`] | addresses, answers with their headers, the handler              |
//!
//! Deliberately absent: any private data, any way to change something, any session or cookie. Whatever
//! the pages say can be made again from a copy of the log and the documents.

pub mod csv;
pub mod documents;
pub mod door;
pub mod follow;
pub mod leaf;
pub mod map;
pub mod model;
pub mod page;
pub mod route;
pub mod site;
pub mod source;
pub mod standing;
pub mod words;

pub use door::Portal;
pub use source::{About, Local, Source};
