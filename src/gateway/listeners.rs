//! Where one server listens, while it runs.
//!
//! A server whose process does not run refuses its clients, as a host does on a port without a listener. So its
//! listening socket is closed, which also resets connections that were not accepted yet, and opened again when the
//! server is back. In between a socket that is bound and does not listen holds the port, so that no other process
//! gets it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};
use tracing::{info, warn};

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How long to wait before the next try to listen on a port that was taken meanwhile.
const RETRY: Duration = Duration::from_millis(100);

/// The listening socket of one server.
pub struct AcceptSocket {
    address: SocketAddr,
    token: Token,
    /// None while the server is down.
    listener: Option<TcpListener>,
    /// Holds the port while the server is down.
    placeholder: Option<Socket>,
    should_listen: bool,
    /// When the next try to listen is due; set while tries fail.
    retry_at: Option<Duration>,
}

/// A socket that is bound and does not listen. Connections of an earlier listener do not keep the port.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

impl AcceptSocket {
    /// A socket that listens; `token` is that of its events.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(
        listener: std::net::TcpListener,
        token: Token,
        registry: &Registry,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let listener = Some(registered(listener, token, registry)?);
        Ok(Self {
            address,
            token,
            listener,
            placeholder: None,
            should_listen: true,
            retry_at: None,
        })
    }

    /// Accepts a pending connection; also the address that it comes from.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::WouldBlock`] when no connection is pending, or it is closed.
    pub fn accept(&self) -> io::Result<(TcpStream, IpAddr)> {
        let listener = self.listener.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        listener.accept().map(|(stream, address)| (stream, address.ip()))
    }

    /// The server's process ended: clients are refused from now on.
    pub fn close(&mut self) {
        (self.should_listen, self.retry_at) = (false, None);
        if self.listener.take().is_some() {
            self.placeholder = bound(self.address)
                .inspect_err(|why| info!(address = %self.address, %why, "cannot hold a port"))
                .ok();
        }
    }

    /// The server's process runs again: clients are to be accepted, now or as soon as the port is free.
    pub fn open(&mut self, now: Duration, registry: &Registry) {
        self.should_listen = true;
        self.try_again(now, registry);
    }

    /// Tries again to listen where that failed, when it is time.
    pub fn try_again(&mut self, now: Duration, registry: &Registry) {
        let is_due = self.retry_at.is_none_or(|at| now >= at);
        if !self.should_listen || self.listener.is_some() || !is_due {
            return;
        }
        match self.listen(registry) {
            Ok(listener) => (self.listener, self.retry_at) = (Some(listener), None),
            Err(why) => {
                if self.retry_at.is_none() {
                    warn!(address = %self.address, %why, "cannot listen again yet");
                }
                self.retry_at = Some(now + RETRY);
            }
        }
    }

    fn listen(&mut self, registry: &Registry) -> io::Result<TcpListener> {
        let socket = match self.placeholder.take() {
            Some(placeholder) => placeholder,
            None => bound(self.address)?,
        };
        socket.listen(BACKLOG)?;
        registered(socket.into(), self.token, registry)
    }
}

fn registered(
    listener: std::net::TcpListener,
    token: Token,
    registry: &Registry,
) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    registry.register(&mut listener, token, Interest::READABLE)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;

    fn connect(address: SocketAddr) -> io::Result<std::net::TcpStream> {
        std::net::TcpStream::connect_timeout(&address, Duration::from_secs(10))
    }

    #[test]
    fn a_closed_port_refuses_and_opens_again() {
        let poll = Poll::new().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = AcceptSocket::new(listener, Token(0), poll.registry()).unwrap();
        let _standing = connect(socket.address).unwrap();
        for second in 1..4 {
            socket.close();
            let refused = connect(socket.address).expect_err("it does not listen");
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            assert!(socket.accept().is_err());
            socket.open(Duration::from_secs(second), poll.registry());
            let _client = connect(socket.address).expect("it listens");
        }
    }

    #[test]
    fn a_port_that_was_taken_meanwhile_is_tried_until_it_is_free() {
        let poll = Poll::new().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = AcceptSocket::new(listener, Token(0), poll.registry()).unwrap();
        socket.close();
        socket.placeholder = None;
        let thief = std::net::TcpListener::bind(socket.address).unwrap();
        socket.open(Duration::ZERO, poll.registry());
        assert!(socket.listener.is_none() && socket.retry_at.is_some());
        drop(thief);
        socket.try_again(RETRY / 2, poll.registry());
        assert!(socket.listener.is_none(), "it is not time yet");
        socket.try_again(RETRY, poll.registry());
        assert!(socket.listener.is_some() && socket.retry_at.is_none());
    }
}
