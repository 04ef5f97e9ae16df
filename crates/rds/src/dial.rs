//! Connections of this process to servers of instances, from the address that their rules know it by. Not here: what is
//! said on them.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

/// Connects, from that address where one is given and both are of one kind.
///
/// # Errors
/// Those of the connection, and where this machine does not have that address.
pub(crate) async fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(from) = from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
        socket.set_reuseaddr(true)?; // else ports of connections that ended could not be used for a minute
        socket.bind((from, 0).into())?;
    }
    socket.connect(to).await
}
