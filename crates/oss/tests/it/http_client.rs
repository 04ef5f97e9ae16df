//! A server on a port of its own and a client that can also do what no SDK would: raw requests over
//! plain sockets, signed by `wire`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Secret, SystemRng};
use engine::action::Registry;
use engine::cloud::Parts;
use engine::ports::{Authority, Covenant};
use engine::seal::Seal;
use engine::server::{Door, Limits};
use engine::{Caller, Cloud};
use http::{HeaderMap, HeaderName, HeaderValue};
use oss::Oss;
use oss::http::{Config, Storage};
use testkit::{FakeClock, Home, Keys, TestCloud};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use wire::object::{Draft, Resource, Signer, oss_v1, oss_v4, sigv4};

pub const REGION: &str = "ap-southeast-5";
pub const BUCKET: &str = "pemilu";

pub struct Server {
    pub test: TestCloud,
    pub owner: Caller,
    pub address: SocketAddr,
    pub oss: Oss,
    /// Where names are asked for; nobody answers there unless the test does.
    pub names: UdpSocket,
    drain: watch::Sender<bool>,
    runtime: Runtime,
}

/// Runs a test against a server that has the owner's bucket.
pub fn check(test: impl FnOnce(&Server)) {
    let server = Server::start();
    let made = server.ask("PUT", "/pemilu").send(Sign::OssV4);
    assert_eq!(made.status, 200, "{made:?}");
    test(&server);
    let _ = server.drain.send(true);
    server.runtime.shutdown_timeout(Duration::from_secs(5));
}

/// A cloud with scripted keys, of a region at home and one abroad.
fn cloud() -> TestCloud {
    let (home, keys, clock) = (Home::new(), Arc::new(Keys::default()), FakeClock::start());
    let db = home.open();
    db.migrate(&[engine::MIGRATIONS, oss::MIGRATIONS]).unwrap();
    let rng = Arc::new(SystemRng);
    let cloud = Cloud::new(Parts {
        db,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        rng: rng.clone(),
        authority: Arc::clone(&keys) as Arc<dyn Authority>,
        covenant: Arc::clone(&home.covenant) as Arc<dyn Covenant>,
        seal: Arc::new(Seal::new(&[7; 32], rng)),
        region: crate::harness::region(),
        registry: Registry::new(&[]),
        data_dir: home.path().to_owned(),
        requests_per_second: 0,
    });
    TestCloud { cloud, clock, keys, home }
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    No,
    OssV1,
    OssV4,
    S3,
}

impl Server {
    fn start() -> Self {
        let test = cloud();
        let owner = testkit::root(1_000_000_000_000_001);
        test.keys.add(&owner);
        let oss = Oss::open(Arc::clone(&test.cloud)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (drain, stop) = watch::channel(false);
        let names = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name_server = Some(names.local_addr().unwrap());
        let address = runtime.block_on(async {
            let door =
                Door::bind("127.0.0.1:0".parse().unwrap(), None, Limits::default()).await.unwrap();
            let address = door.address().unwrap();
            let hosts = ["oss.localhost", "localhost"].map(str::to_owned).to_vec();
            let storage = Storage::new(
                oss.clone(),
                Config {
                    hosts,
                    endpoint: "http://oss.example".to_owned(),
                    callback_networks: vec!["127.0.0.1".parse().expect("it is an address")],
                    name_server,
                },
            );
            tokio::spawn(door.serve(Arc::new(storage), stop));
            address
        });
        Self { test, owner, address, oss, names, drain, runtime }
    }

    /// Waits for what the engine does by itself.
    pub fn block<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    pub fn ask(&self, method: &'static str, target: &str) -> Ask<'_> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ask {
            server: self,
            caller: self.owner.clone(),
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            host_bucket: None,
            body: Vec::new(),
            payload: "UNSIGNED-PAYLOAD".to_owned(),
            region: REGION,
        }
    }

    /// Sends bytes as they are and reads one answer.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server may refuse before it has read everything.
        let _ = stream.write_all(request);
        Answer::read(&mut stream, request.starts_with(b"HEAD"))
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

/// A request that is being put together.
#[derive(Clone)]
pub struct Ask<'s> {
    server: &'s Server,
    pub caller: Caller,
    method: &'static str,
    path: String,
    query: String,
    headers: HeaderMap,
    host_bucket: Option<&'static str>,
    body: Vec<u8>,
    payload: String,
    region: &'static str,
}

impl Ask<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", &length)
    }

    /// S3: what the signature says about the body.
    pub fn payload(mut self, payload: &str) -> Self {
        self.payload = payload.to_owned();
        self
    }

    /// Signs for another region.
    pub fn region(mut self, region: &'static str) -> Self {
        self.region = region;
        self
    }

    /// Asks this host, which stands for this bucket.
    pub fn host(mut self, host: &str, bucket: &'static str) -> Self {
        self.host_bucket = Some(bucket);
        self.header("host", host)
    }

    pub fn by(mut self, caller: &Caller) -> Self {
        self.caller = caller.clone();
        self
    }

    /// What is to be sent, signed.
    pub fn signed(mut self, sign: Sign) -> Self {
        if !self.headers.contains_key("host") {
            let host = self.server.address.to_string();
            self = self.header("host", &host);
        }
        let secret = Secret::new(format!("{}-secret", self.caller.key_id));
        let decoded = String::from_utf8(base::text::percent_decode(&self.path, false)).unwrap();
        let path = decoded.strip_prefix('/').unwrap();
        let (bucket, key) = match self.host_bucket {
            Some(bucket) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        let some = |text: &'_ str| !text.is_empty();
        let resource = Resource {
            bucket: some(bucket).then_some(bucket),
            key: some(key).then_some(key.as_bytes()),
        };
        let now = self.server.test.clock.now();
        let signer = Signer {
            key_id: &self.caller.key_id,
            secret: &secret,
            token: None,
            region: self.region,
            now,
        };
        let draft = Draft { method: self.method, path: &self.path, query: &self.query, resource };
        match sign {
            Sign::No => {}
            Sign::OssV1 => oss_v1::sign(&signer, &draft, &mut self.headers).unwrap(),
            Sign::OssV4 => oss_v4::sign(&signer, &draft, &mut self.headers).unwrap(),
            Sign::S3 => sigv4::sign(&signer, &draft, &self.payload, &mut self.headers).unwrap(),
        }
        self
    }

    /// The same request signed in its query.
    pub fn presigned(mut self, sign: Sign) -> Self {
        let host = self.server.address.to_string();
        self = self.header("host", &host);
        let secret = Secret::new(format!("{}-secret", self.caller.key_id));
        let decoded = String::from_utf8(base::text::percent_decode(&self.path, false)).unwrap();
        let (bucket, key) = decoded[1..].split_once('/').unwrap();
        let resource = Resource { bucket: Some(bucket), key: Some(key.as_bytes()) };
        let now = self.server.test.clock.now();
        let signer = Signer {
            key_id: &self.caller.key_id,
            secret: &secret,
            token: None,
            region: self.region,
            now,
        };
        let draft = Draft { method: self.method, path: &self.path, query: &self.query, resource };
        let lifetime = Duration::from_secs(60);
        self.query = match sign {
            Sign::OssV1 => oss_v1::presign(&signer, &draft, &self.headers, lifetime),
            Sign::OssV4 => oss_v4::presign(&signer, &draft, &self.headers, lifetime),
            Sign::S3 => sigv4::presign(&signer, &draft, &self.headers, lifetime),
            Sign::No => self.query.clone(),
        };
        self
    }

    pub fn header_value(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The head as it goes over the wire.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {}", self.method, self.path);
        if !self.query.is_empty() {
            head.push('?');
            head.push_str(&self.query);
        }
        head.push_str(" HTTP/1.1\r\n");
        let mut head = head.into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(
                &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat(),
            );
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Sends what is there, whatever the headers say.
    pub fn go(self) -> Answer {
        self.server.raw(&[self.head(), self.body].concat())
    }

    pub fn send(self, sign: Sign) -> Answer {
        self.signed(sign).go()
    }
}

/// A body in chunks, of which some bytes are there.
fn unchunked(stream: &mut TcpStream, mut bytes: Vec<u8>) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n");
        let len = line.map(|end| {
            let len = std::str::from_utf8(&bytes[..end]).unwrap();
            (end + 2, usize::from_str_radix(len, 16).unwrap())
        });
        match len {
            Some((from, len)) if bytes.len() >= from + len + 2 => {
                if len == 0 {
                    return body;
                }
                body.extend_from_slice(&bytes[from..from + len]);
                bytes.drain(..from + len + 2);
            }
            _ => {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).unwrap();
                assert!(read > 0, "the server closed within a body");
                bytes.extend_from_slice(&piece[..read]);
            }
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn read(stream: &mut TcpStream, is_head: bool) -> Self {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).unwrap();
            assert!(
                read > 0,
                "the server closed without an answer: {:?}",
                String::from_utf8_lossy(&bytes)
            );
            bytes.extend_from_slice(&piece[..read]);
        };
        let mut body = bytes.split_off(head_end);
        let head = String::from_utf8(bytes).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut answer = Self { status, head, body: Vec::new() };
        if answer.header("transfer-encoding").is_some() {
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "a known length is told");
            answer.body = unchunked(stream, body);
            return answer;
        }
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if is_head || matches!(status, 100 | 204 | 304) {
            return answer;
        }
        let mut rest = vec![0; length - body.len()];
        stream.read_exact(&mut rest).unwrap();
        body.extend_from_slice(&rest);
        answer.body = body;
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| {
            line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        self.head
            .lines()
            .skip(1)
            .find(named)
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of that name.
    pub fn element(&self, name: &str) -> String {
        let text = self.text();
        let open = format!("<{name}>");
        let from = text.find(&open).unwrap_or_else(|| panic!("no {name} in {text}")) + open.len();
        text[from..from + text[from..].find("</").unwrap()].to_owned()
    }

    /// Asserts a refusal in the dialect's form.
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.element("Code").as_str()), (status, code), "{self:?}");
        assert_eq!(self.element("RequestId").len(), 24);
        assert_eq!(self.header("content-type"), Some("application/xml"));
    }
}
