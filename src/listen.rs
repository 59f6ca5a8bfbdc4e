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
    let socket = Address { ip, port }.bound(Sharing::Alone);
    let listener = socket.and_then(|socket| TcpListener::from_std(listening(socket)?));
    listener.map_err(|source| error(ip, port, source))
}

/// Listens on `port` of `ip`, which is not 0, with `count` sockets that share what arrives
/// (`SO_REUSEPORT`): the kernel spreads connections over them. See [`listen`] for what `ip` means.
///
/// Guarantees:
/// - when it returns, all of them listen;
/// - it fails where anybody else listens on the port, though he would share it too;
/// - connections that are accepted send what is written at once (`TCP_NODELAY`): on Linux they have
///   it from their listener.
pub fn listen_together(
    ip: IpAddr,
    port: u16,
    count: usize,
) -> Result<Vec<std::net::TcpListener>, Error> {
    let address = Address { ip, port };
    let alone = address.bound(Sharing::Alone).map(drop);
    let sockets = alone.and_then(|()| {
        let sockets = (0..count).map(|_| address.bound(Sharing::Together));
        sockets.collect::<io::Result<Vec<_>>>()
    });
    let listeners = sockets.and_then(|sockets| {
        let listeners = sockets.into_iter().map(|socket| {
            socket.set_tcp_nodelay(true)?;
            listening(socket)
        });
        listeners.collect()
    });
    listeners.map_err(|source| error(ip, port, source))
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

/// Where to listen.
#[derive(Clone, Copy)]
struct Address {
    ip: IpAddr,
    port: u16,
}

#[derive(Clone, Copy)]
enum Sharing {
    Alone,
    Together,
}

impl Address {
    fn bound(self, sharing: Sharing) -> io::Result<Socket> {
        if self.ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            return self.bound_to_both_families(sharing);
        }
        let address = SocketAddr::new(self.ip, self.port);
        bind(socket(address, sharing)?, address)
    }

    fn bound_to_both_families(self, sharing: Sharing) -> io::Result<Socket> {
        let every_v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.port);
        let every_v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), self.port);
        // A kernel without IPv6 fails here; one that has it disabled may fail to bind instead.
        let Ok(dual) = socket(every_v6, sharing) else {
            return bind(socket(every_v4, sharing)?, every_v4);
        };
        dual.set_only_v6(false)?;
        match bind(dual, every_v6) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                bind(socket(every_v4, sharing)?, every_v4)
            }
            other => other,
        }
    }
}

fn error(ip: IpAddr, port: u16, source: io::Error) -> Error {
    Error {
        address: SocketAddr::new(ip, port),
        source,
    }
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if let Sharing::Together = sharing {
        socket.set_reuse_port(true)?;
    }
    Ok(socket)
}

fn bind(socket: Socket, address: SocketAddr) -> io::Result<Socket> {
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listening(socket: Socket) -> io::Result<std::net::TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether an error of `accept` is that of a connection which has gone meanwhile (`accept(2)`).
pub(crate) fn concerns_one_connection(error: &io::Error) -> bool {
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

    fn free_port(ip: IpAddr) -> u16 {
        let listener = std::net::TcpListener::bind((ip, 0)).unwrap();
        listener.local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn listeners_of_one_port_share_what_arrives() {
        let ip = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let port = free_port(ip);
        let listeners = listen_together(ip, port, 2).unwrap();
        let [one, other] = listeners.try_into().unwrap();
        let one = TcpListener::from_std(one).unwrap();
        let other = TcpListener::from_std(other).unwrap();
        let (mut clients, mut taken) = (Vec::new(), [0, 0]);
        while taken.contains(&0) {
            clients.push(
                TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .await
                    .unwrap(),
            );
            let stream = tokio::select! {
                stream = accept(&one) => { taken[0] += 1; stream }
                stream = accept(&other) => { taken[1] += 1; stream }
            };
            assert!(stream.nodelay().unwrap());
            assert!(clients.len() < 64, "only one of them is reached: {taken:?}");
        }
    }

    #[tokio::test]
    async fn a_port_is_not_shared_with_who_is_not_of_the_group() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = free_port(ip);
        let _group = listen_together(ip, port, 2).unwrap();
        for count in [1, 2] {
            let error = listen_together(ip, port, count).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        }
    }
}
