//! Compresses a stream into LZ4 frames as it comes. Whoever reads it too early gets an error, never a shorter whole.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use lz4_flex::frame::FrameEncoder;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::sync::mpsc;

use super::super::driver::Stream;

/// How much is compressed at once.
const CHUNK: usize = 256 * 1024;

/// How many compressed chunks may wait for a slow reader.
const WAITING: usize = 4;

/// The stream, compressed.
pub fn compressed(plain: Stream) -> Stream {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        if let Err(error) = compress(plain, &sender).await {
            // A reader that has gone does not want to know.
            let _ = sender.send(Err(error)).await;
        }
    });
    Box::new(Chunks { receiver, current: Vec::new(), at: 0 })
}

type Sender = mpsc::Sender<io::Result<Vec<u8>>>;

async fn compress(mut plain: Stream, sender: &Sender) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let mut encoder = FrameEncoder::new(Vec::new());
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = plain.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        encoder.write_all(&buffer[..count])?;
        let ready = std::mem::take(encoder.get_mut());
        if !ready.is_empty() {
            sender.send(Ok(ready)).await.map_err(gone)?;
        }
    }
    let rest = encoder.finish().map_err(io::Error::other)?;
    sender.send(Ok(rest)).await.map_err(gone)
}

/// Chunks as a stream.
struct Chunks {
    receiver: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.at == self.current.len() {
            match std::task::ready!(self.receiver.poll_recv(cx)) {
                Some(next) => (self.current, self.at) = (next?, 0),
                None => return Poll::Ready(Ok(())),
            }
        }
        let end = self.current.len().min(self.at + out.remaining());
        out.put_slice(&self.current[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::{Cursor, Read};

    use super::*;

    #[tokio::test]
    async fn what_is_compressed_is_decompressed_to_the_same() {
        let plain: Vec<u8> = (0..1_500_000_u32).map(|i| (i / 97 % 251) as u8).collect();
        let mut stream = compressed(Box::new(Cursor::new(plain.clone())));
        let mut packed = Vec::new();
        stream.read_to_end(&mut packed).await.unwrap();
        assert!(packed.len() < plain.len() / 2);
        let mut unpacked = Vec::new();
        lz4_flex::frame::FrameDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain);
    }

    #[tokio::test]
    async fn a_stream_that_fails_is_not_taken_for_a_whole() {
        struct Fails;
        impl AsyncRead for Fails {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Poll::Ready(Err(io::Error::other("cut")))
            }
        }
        let mut out = Vec::new();
        assert!(compressed(Box::new(Fails)).read_to_end(&mut out).await.is_err());
    }
}
