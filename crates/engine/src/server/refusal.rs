//! Bodies for the refusals that the HTTP library makes by itself.
//!
//! What is not HTTP (a gigabyte of headers, a malformed request line) is answered below the service,
//! with a bare status. Several SDKs break on an empty error body, one of them by a panic, so such a
//! bare answer is replaced by one in the client's dialect on its way out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Handler;

/// Marks the answers that come from a handler; the library's own answers lack it.
pub const MARK: &str = "x-awan";

/// Watches what is written for a bare refusal.
pub struct Refusals<S, H> {
    stream: S,
    handler: Arc<H>,
    /// What stands in for a refusal, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S, H: Handler> Refusals<S, H> {
    /// Around a stream.
    pub fn new(stream: S, handler: Arc<H>) -> Self {
        Self { stream, handler, instead: None }
    }

    /// The answer to write instead of these bytes, where they are a bare refusal: a whole head that
    /// says 4xx and no body.
    fn replacement(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let head = bytes.strip_prefix(b"HTTP/1.1 ")?;
        let status: u16 = std::str::from_utf8(head.get(..3)?).ok()?.parse().ok()?;
        if !matches!(status, 400 | 405 | 408 | 413 | 414 | 431 | 505) || bytes.len() > 512 {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
        if !text.ends_with("\r\n\r\n")
            || !text.contains("content-length: 0\r\n")
            || text.contains(MARK)
        {
            return None;
        }
        let (content_type, body) = self.handler.refuse(status);
        let first = text.lines().next().unwrap_or_default().to_uppercase();
        let mut answer = format!(
            "{first}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        Some(answer)
    }
}

impl<S: AsyncRead + Unpin, H> AsyncRead for Refusals<S, H> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, out)
    }
}

impl<S: AsyncWrite + Unpin, H: Handler> Refusals<S, H> {
    fn write_instead(&mut self, cx: &mut Context<'_>, replaced: usize) -> Poll<io::Result<usize>> {
        while let Some((answer, done)) = &mut self.instead {
            match Pin::new(&mut self.stream).poll_write(cx, &answer[*done..]) {
                Poll::Ready(Ok(count)) => *done += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            if *done == answer.len() {
                self.instead = None;
            }
        }
        Poll::Ready(Ok(replaced))
    }
}

impl<S: AsyncWrite + Unpin, H: Handler> AsyncWrite for Refusals<S, H> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.instead.is_none() {
            this.instead = this.replacement(bytes).map(|answer| (answer, 0));
        }
        if this.instead.is_some() {
            return this.write_instead(cx, bytes.len());
        }
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare refusal is one slice; anything else may go out as it is.
        if let [only] = bytes {
            return self.poll_write(cx, only);
        }
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
