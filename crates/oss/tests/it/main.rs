//! Object storage through its operations: one engine, no dialect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod acl;
mod append;
mod backends;
mod bucket_policy;
mod concurrency;
mod copies;
mod diskfull;
mod disks;
mod harness;
mod http;
mod http_access;
mod http_bodies;
mod http_callback;
mod http_client;
mod http_cname;
mod http_cors;
mod http_form;
mod http_kinds;
mod http_lifecycle;
mod http_logging;
<<<<<<< HEAD
mod http_order;
=======
mod http_origin;
>>>>>>> ossb
mod http_places;
mod http_referer;
mod http_website;
mod inventory;
mod lifecycle;
mod listing;
mod mirror;
mod multipart;
mod objects;
mod powerloss;
mod privilege;
mod residency;
mod retention;
mod scrub;
mod sealed;
mod space;
mod symlinks;
mod usage;
mod versions;
