//! A small server on port 0: reads HTTP/1.1 from a socket, verifies every signature, keeps objects.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base::text::hex;
use base::{ApiError, Clock, Secret, SystemClock, code};
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::Head;
use wire::object::auth::{self, Auth};
use wire::object::checksum::{Md5, crc64};
use wire::object::xml::Writer;
use wire::object::{self, Dialect, Resource, error};

mod books;
mod control;
pub mod covenant;

use control::Directory;

pub const KEY_ID: &str = "LTAI0000000000000000";
pub const SECRET: &str = "a secret of thirty characters.";
const REGION: &str = "ap-southeast-5";

type Objects = BTreeMap<(String, String), Vec<u8>>;

#[derive(Default)]
struct State {
    objects: Mutex<Objects>,
    last_call: Mutex<(String, Vec<(String, String)>)>,
    directory: Mutex<Directory>,
    writes: AtomicUsize,
    corrupt: AtomicBool,
    lax: AtomicBool,
}

/// The server; it runs until the test's process ends.
pub struct Server {
    address: String,
    state: Arc<State>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || while_open(stream.unwrap(), &state));
            }
        });
        Self { address, state }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn objects(&self) -> Objects {
        self.state.objects.lock().unwrap().clone()
    }

    pub fn writes(&self) -> usize {
        self.state.writes.load(Ordering::SeqCst)
    }

    /// Changes a byte of every object on its way, in or out.
    pub fn corrupt(&self, on: bool) {
        self.state.corrupt.store(on, Ordering::SeqCst);
    }

    /// Lets every key do everything.
    pub fn lax(&self, on: bool) {
        self.state.lax.store(on, Ordering::SeqCst);
    }

    /// The agreements, to look into or to prepare.
    pub fn covenant<T>(&self, look: impl FnOnce(&mut covenant::Covenant) -> T) -> T {
        look(&mut self.state.directory.lock().unwrap().covenant)
    }

    /// What `GetReceipt` answers for a request.
    pub fn receipts(&self, id: &str, rows: serde_json::Value) {
        self.state.directory.lock().unwrap().receipts.insert(id.to_owned(), rows);
    }

    /// How often an action was done.
    pub fn times(&self, action: &str) -> usize {
        self.state.directory.lock().unwrap().times(action)
    }

    /// The action of the last call, and its parameters, sorted.
    pub fn last_call(&self) -> (String, Vec<(String, String)>) {
        self.state.last_call.lock().unwrap().clone()
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

fn while_open(stream: TcpStream, state: &State) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let answer = serve(&request, state);
        let mut head =
            format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if request.method != "HEAD" {
            bytes.extend(answer.body);
        }
        if reader.get_mut().write_all(&bytes).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    let mut next = |reader: &mut BufReader<TcpStream>| {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = next(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HeaderMap::new();
    loop {
        let line = next(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_str(value.trim()).ok()?,
        );
    }
    let length =
        headers.get("content-length").map_or(0, |value| value.to_str().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

fn serve(request: &Request, state: &State) -> Answer {
    let head = Head {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
    };
    if request.headers.contains_key("x-acs-action") {
        return call(&head, &request.body, state).unwrap_or_else(|refused| {
            let body = format!(
                r#"{{"Code":"{}","Message":"{}","RequestId":"R"}}"#,
                refused.code(),
                "refused"
            );
            Answer::new(refused.status(), body)
        });
    }
    let dialect = object::detect(&head);
    storage(request, &head, dialect, state).unwrap_or_else(|refused| {
        let body = error::render(dialect, &refused, "R", "host", &request.path);
        Answer::new(body.status, body.bytes)
    })
}

fn call(head: &Head<'_>, body: &[u8], state: &State) -> Result<Answer, ApiError> {
    let call = wire::call::decode(head, body, SystemClock.now())?;
    let signed = call.signed.ok_or(&code::INCOMPLETE_SIGNATURE)?;
    let mut directory = state.directory.lock().unwrap();
    let key = directory.keys.get(&signed.key_id).ok_or(&code::INVALID_KEY)?;
    signed.verify(&Secret::new(key.secret.clone()))?;
    let form = std::str::from_utf8(body).unwrap();
    let mut params = wire::query::parse(head.query);
    params.extend(wire::query::parse(form));
    params.sort();
    let action = call.action.unwrap_or_default();
    let mut answer = directory.act(&signed.key_id, &action, &params)?;
    answer["RequestId"] = "R".into();
    *state.last_call.lock().unwrap() = (action, params);
    Ok(Answer::new(200, answer.to_string()))
}

/// The policies of the demonstration: the officer writes objects, the observer reads and lists.
fn may(owner: &str, method: &str, key: &str) -> bool {
    match owner {
        "petugas" => method == "PUT" && !key.is_empty(),
        "pengamat" => matches!(method, "GET" | "HEAD"),
        _ => true,
    }
}

fn storage(
    request: &Request,
    head: &Head<'_>,
    dialect: Dialect,
    state: &State,
) -> Result<Answer, ApiError> {
    let path = request.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let key = String::from_utf8(base::text::percent_decode(key, false)).unwrap();
    let resource = Resource {
        bucket: Some(bucket).filter(|bucket| !bucket.is_empty()),
        key: Some(key.as_bytes()).filter(|key| !key.is_empty()),
    };
    match auth::parse(head, dialect, &resource, REGION, SystemClock.now())? {
        Auth::Signed(signed) => {
            let directory = state.directory.lock().unwrap();
            let holder = directory.keys.get(&signed.key_id).ok_or(&error::INVALID_ACCESS_KEY_ID)?;
            signed.verify(&Secret::new(holder.secret.clone()))?;
            if !may(&holder.owner, &request.method, &key) && !state.lax.load(Ordering::SeqCst) {
                return Err(ApiError::new(&error::ACCESS_DENIED));
            }
        }
        Auth::Anonymous => return Err(ApiError::new(&error::ACCESS_DENIED)),
    }
    let mut objects = state.objects.lock().unwrap();
    let place = (bucket.to_owned(), key.clone());
    match (request.method.as_str(), key.is_empty()) {
        ("PUT", false) => {
            let mut body = request.body.clone();
            flip(&mut body, state);
            state.writes.fetch_add(1, Ordering::SeqCst);
            let headers = sums(&body);
            objects.insert(place, body);
            Ok(Answer { headers, ..Answer::new(200, "") })
        }
        ("GET" | "HEAD", false) => {
            let body = objects.get(&place).ok_or(&error::NO_SUCH_KEY)?.clone();
            let headers = sums(&body);
            let mut sent = body;
            flip(&mut sent, state);
            Ok(Answer { headers, ..Answer::new(200, sent) })
        }
        // No agreement here allows a bucket abroad.
        ("PUT", true) if bucket.ends_with("-sg") => Err(ApiError::new(&code::RESIDENCY)),
        ("DELETE", false) => {
            objects.remove(&place);
            Ok(Answer::new(204, ""))
        }
        ("GET", true) => Ok(Answer::new(200, list(&objects, bucket, &request.query))),
        _ => Ok(Answer::new(200, "")),
    }
}

fn flip(body: &mut [u8], state: &State) {
    if let Some(byte) = body.first_mut().filter(|_| state.corrupt.load(Ordering::SeqCst)) {
        *byte ^= 1;
    }
}

fn sums(body: &[u8]) -> Vec<(&'static str, String)> {
    vec![("etag", format!("\"{}\"", md5(body))), ("x-oss-hash-crc64ecma", crc64(body).to_string())]
}

fn md5(body: &[u8]) -> String {
    let mut sum = Md5::default();
    sum.update(body);
    hex(&sum.finish())
}

/// One page: the keys after the token, which is the last key of the page before.
fn list(objects: &Objects, bucket: &str, query: &str) -> Vec<u8> {
    let pairs = wire::query::parse(query);
    let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    let (prefix, token, max) =
        (get("prefix"), get("continuation-token"), get("max-keys").parse().unwrap());
    let wanted = objects.iter().filter(|((in_bucket, key), _)| {
        in_bucket == bucket && key.starts_with(prefix) && key.as_str() > token
    });
    let all: Vec<_> = wanted.collect();
    let page = &all[..all.len().min(max)];
    let mut xml = Writer::new();
    xml.open("ListBucketResult")
        .text("EncodingType", "url")
        .value("IsTruncated", page.len() < all.len());
    if let Some(((_, last), _)) = page.last().filter(|_| page.len() < all.len()) {
        xml.text("NextContinuationToken", last);
    }
    for ((_, key), body) in page {
        xml.open("Contents")
            .text("Key", &base::text::percent_encode(key))
            .value("Size", body.len());
        xml.text("ETag", &format!("\"{}\"", md5(body)))
            .text("LastModified", "2026-01-02T03:04:05.000Z")
            .close();
    }
    xml.finish()
}
