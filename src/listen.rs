//! Sockets that servers of ours listen on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tracing::warn;

/// How many connections the kernel keeps for us until we accept them; the least it has to hold is
/// what arrives while all cores are busy.
const BACKLOG: i32 = 1024;

/// How long to wait when the system has no file or no memory left for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Nobody can be served at an address.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}: free the port, or choose another address or port")]
pub struct Error {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// Listens on `port` of `ip`. Must be called within a tokio runtime.
///
/// `::` means every address of both families, whatever the system's `bindv6only` says; where
/// IPv6 is off it means every IPv4 address. A port whose former connections still time out
/// (`TIME_WAIT`) can be listened on at once.
pub fn listen(ip: IpAddr, port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::new(ip, port);
    let listener = if ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        listen_on_both_families(port)
    } else {
        socket(address).and_then(|socket| bind(socket, address))
    };
    listener.map_err(|source| Error { address, source })
}

/// The next connection. Errors concern one connection, or pass: they are waited out.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                warn!(%error, "cannot accept connections; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn listen_on_both_families(port: u16) -> io::Result<TcpListener> {
    let every_v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let every_v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    // A kernel without IPv6 fails here; one that has it disabled may fail to bind instead.
    let Ok(dual) = socket(every_v6) else {
        return bind(socket(every_v4)?, every_v4);
    };
    dual.set_only_v6(false)?;
    match bind(dual, every_v6) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            bind(socket(every_v4)?, every_v4)
        }
        other => other,
    }
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn bind(socket: Socket, address: SocketAddr) -> io::Result<TcpListener> {
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_address_takes_ipv4_clients() {
        let listener = listen(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let (client, server) = tokio::join!(connecting, accept(&listener));
        assert_eq!(
            client.unwrap().local_addr().unwrap().port(),
            server.peer_addr().unwrap().port()
        );
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let taken = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address.ip(), address.port()).unwrap_err();
        assert_eq!(error.address, address);
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
