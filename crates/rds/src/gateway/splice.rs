//! Bytes both ways between two connections, as they are, until both have ended.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// What a direction keeps while it is idle, bytes: most queries fit.
const SMALL: usize = 4 << 10;
/// What it reads at once while there is much, bytes.
const LARGE: usize = 128 << 10;

/// Passes on bytes until both sides have ended, or one has and the other did not within the time. `left` is called
/// where the server is the first.
pub(super) async fn splice(
    client: &mut TcpStream,
    server: &mut TcpStream,
    half_closed: Duration,
    left: impl FnOnce(),
) {
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let up = pump(client_read, server_write);
    let down = pump(server_read, client_write);
    tokio::pin!(up, down);
    // Whatever ended one direction, the other may still have to bring what was said last.
    let _ = tokio::select! {
        () = &mut up => tokio::time::timeout(half_closed, down).await,
        () = &mut down => {
            left();
            tokio::time::timeout(half_closed, up).await
        }
    };
}

/// One direction, until its source ends or its sink takes no more. The sink learns of the end.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) {
    let mut buffer = Vec::with_capacity(SMALL);
    // A source that broke has ended: only how is different, and there is nobody to tell it to.
    while let Ok(count @ 1..) = from.read_buf(&mut buffer).await {
        if to.write_all(&buffer).await.is_err() {
            return;
        }
        buffer.clear();
        // A full buffer says that there is more; a nearly empty large one that there is no more.
        if count == buffer.capacity() && count < LARGE {
            buffer = Vec::with_capacity(LARGE);
        } else if count < SMALL && buffer.capacity() > SMALL {
            buffer = Vec::with_capacity(SMALL);
        }
    }
    let _ = to.shutdown().await;
}
