//! One HTTP/1.1 connection over a plain socket: writes bytes, reads an answer, keeps alive. It knows
//! answers with a Content-Length and without a body; that is all that the scenarios get.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Of an answer that is not a success, so much is kept to be shown.
const TEXT_BYTES_MAX: usize = 2000;
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// A connection that is kept alive.
pub(super) struct Connection {
    address: String,
    stream: BufReader<TcpStream>,
    buffer: Vec<u8>,
    line: Vec<u8>,
    text: Vec<u8>,
}

/// What came back; the body was read and thrown away.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) bytes: u64,
}

/// What the lines before the body say.
struct Head {
    status: u16,
    length: u64,
    close: bool,
}

impl Connection {
    pub(super) fn open(address: &str) -> io::Result<Self> {
        Ok(Self {
            address: address.to_owned(),
            stream: connect(address)?,
            buffer: vec![0; 256 << 10],
            line: Vec::with_capacity(256),
            text: Vec::new(),
        })
    }

    /// Connects anew after an error.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.stream = connect(&self.address)?;
        Ok(())
    }

    /// The start of the body of the last answer that was not a success.
    pub(super) fn last_text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// Sends a request and reads its answer whole.
    pub(super) fn exchange(&mut self, head: &[u8], body: &[u8]) -> io::Result<Answer> {
        let socket = self.stream.get_mut();
        if body.len() <= 16 << 10 {
            // One write, one packet where it fits.
            self.buffer.clear();
            self.buffer.extend_from_slice(head);
            self.buffer.extend_from_slice(body);
            socket.write_all(&self.buffer)?;
            self.buffer.resize(256 << 10, 0);
        } else {
            socket.write_all(head)?;
            socket.write_all(body)?;
        }
        let head = self.read_head()?;
        self.drain(&head)?;
        if head.close {
            self.reopen()?;
        }
        Ok(Answer { status: head.status, bytes: head.length })
    }

    fn read_head(&mut self) -> io::Result<Head> {
        let mut left = HEAD_BYTES_MAX;
        self.read_line(&mut left)?;
        let status = std::str::from_utf8(&self.line)
            .ok()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let mut head =
            Head { status: status.ok_or_else(|| malformed("no status"))?, length: 0, close: false };
        loop {
            self.read_line(&mut left)?;
            if self.line.is_empty() {
                return Ok(head);
            }
            let line = String::from_utf8_lossy(&self.line);
            let Some((name, value)) = line.split_once(':') else {
                return Err(malformed("a header without a colon"));
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.parse().map_err(|_| malformed("a bad length"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(malformed("a chunked answer"));
            } else if name.eq_ignore_ascii_case("connection") {
                head.close = value.eq_ignore_ascii_case("close");
            }
        }
    }

    fn read_line(&mut self, left: &mut u64) -> io::Result<()> {
        self.line.clear();
        let read = (&mut self.stream).take(*left).read_until(b'\n', &mut self.line)?;
        *left -= read as u64;
        while matches!(self.line.last(), Some(b'\n' | b'\r')) {
            self.line.pop();
        }
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn drain(&mut self, head: &Head) -> io::Result<()> {
        self.text.clear();
        let mut left = head.length;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let read = self.stream.read(&mut self.buffer[..want])?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if head.status != 200 {
                let room = TEXT_BYTES_MAX.saturating_sub(self.text.len()).min(read);
                self.text.extend_from_slice(&self.buffer[..room]);
            }
            left -= read as u64;
        }
        Ok(())
    }
}

fn connect(address: &str) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(BufReader::with_capacity(64 << 10, stream))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the answer has {what}"))
}
