//! The dialects that clients speak, as pure functions: Alibaba's RPC and ROA control protocols, and
//! the two object-storage protocols, OSS and S3. Bytes in, values out; no I/O, no clock, no database.

pub mod acs3;
pub mod answer;
pub mod call;
pub mod object;
pub mod params;
pub mod query;
pub mod roa_v1;
pub mod rpc_v1;

/// The head of an HTTP request as it stood on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The path as sent: still percent-encoded, without the query.
    pub path: &'a str,
    /// The query as sent, without the question mark; empty where there is none.
    pub query: &'a str,
    /// The header fields.
    pub headers: &'a http::HeaderMap,
}

impl<'a> Head<'a> {
    /// A header's value with the white space around it cut, where it is there and is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .map(str::trim)
    }
}
