//! Bytes on their way: from requests, through LZ4, to those who read with and without waiting.

use std::io::{self, BufRead, BufReader, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use lz4_flex::frame::FrameDecoder;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::driver::Stream;

/// How much is decompressed at once.
const CHUNK: usize = 128 << 10;
/// Chunks that may wait for the reader.
const WAITING: usize = 8;

/// Chunks, one after the other, as something to read. An empty one is the end: where whoever sends them vanishes
/// without having said so, what came is not the whole.
struct Chunks {
    incoming: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    ended: bool,
}

impl Chunks {
    fn of(incoming: mpsc::Receiver<io::Result<Bytes>>) -> Stream {
        Box::new(Self { incoming, rest: Bytes::new(), ended: false })
    }
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() && !self.ended {
            match ready!(self.incoming.poll_recv(cx)) {
                Some(chunk) => self.rest = chunk?,
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
            self.ended = self.rest.is_empty();
        }
        let take = self.rest.len().min(out.remaining());
        out.put_slice(&self.rest[..take]);
        self.rest.advance(take);
        Poll::Ready(Ok(()))
    }
}

/// A request's body as something to read.
pub fn of_body(mut body: Incoming) -> Stream {
    let (sender, incoming) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let chunk = match frame.map_err(io::Error::other) {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => Ok(data),
                    _ => continue,
                },
                Err(error) => Err(error),
            };
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
        let _ = sender.send(Ok(Bytes::new())).await;
    });
    Chunks::of(incoming)
}

/// What LZ4 frames, one or more, hold.
pub fn decompressed(stream: Stream) -> Stream {
    let (sender, incoming) = mpsc::channel(WAITING);
    let compressed = blocking(stream);
    tokio::task::spawn_blocking(move || {
        let end = decompress(compressed, &sender).map(|()| Bytes::new());
        let _ = sender.blocking_send(end);
    });
    Chunks::of(incoming)
}

/// Each frame has a decoder of its own: one decoder takes no frames whose blocks differ in size.
fn decompress(compressed: impl Read, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut source = Ends { inner: BufReader::with_capacity(CHUNK, compressed), ended: false };
    while !source.inner.fill_buf()?.is_empty() {
        let mut frame = FrameDecoder::new(source);
        loop {
            let mut chunk = vec![0; CHUNK];
            let n = frame.read(&mut chunk)?;
            if n == 0 {
                break;
            }
            chunk.truncate(n);
            if to.blocking_send(Ok(Bytes::from(chunk))).is_err() {
                return Ok(());
            }
        }
        source = frame.into_inner();
        // The decoder takes the end of its source between two blocks for the end of the frame.
        if source.ended {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// A source that remembers whether its end was met.
struct Ends<R> {
    inner: BufReader<R>,
    ended: bool,
}

impl<R: Read> Read for Ends<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.ended |= n == 0 && !out.is_empty();
        Ok(n)
    }
}

/// For those who read without a runtime, on a thread that may wait.
pub fn blocking(stream: Stream) -> Blocking {
    Blocking { stream, runtime: Handle::current() }
}

/// See [`blocking`].
pub struct Blocking {
    stream: Stream,
    runtime: Handle,
}

impl Read for Blocking {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.runtime.block_on(self.stream.read(out))
    }
}

/// A stream as the body of an answer.
pub fn into_body(mut stream: Stream) -> engine::server::Body {
    let (sender, incoming) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    tokio::spawn(async move {
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = stream.read(&mut chunk).await;
            let chunk = match read {
                Ok(0) => return,
                Ok(n) => {
                    chunk.truncate(n);
                    Ok(Bytes::from(chunk))
                }
                Err(error) => Err(error),
            };
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    let frames = futures_util::stream::unfold(incoming, async |mut incoming| {
        let chunk = incoming.recv().await?;
        Some((chunk.map(hyper::body::Frame::data), incoming))
    });
    http_body_util::StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use proptest::prelude::*;

    use super::*;

    async fn all(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompressed(Box::new(Cursor::new(bytes))).read_to_end(&mut out).await?;
        Ok(out)
    }

    fn frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes)?;
        encoder.finish().map_err(io::Error::other)
    }

    #[tokio::test]
    async fn frames_after_each_other_are_one_content() -> io::Result<()> {
        let long = vec![7; 300_000];
        let packed = [frame(b"one")?, frame(&long)?, frame(b"")?, frame(b"three")?].concat();
        let whole = [b"one".as_slice(), &long, b"three"].concat();
        assert!(all(packed).await? == whole, "every frame's content, in order");
        Ok(())
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_off_is_an_error() -> io::Result<()> {
        let packed = frame(&[7; 100_000])?;
        assert!(all(packed[..packed.len() - 4].to_vec()).await.is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hang(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let _ = runtime.block_on(all(bytes));
        }
    }
}
