//! The listener: connections in, a bounded number of them, until told to stop.
//!
//! # Invariants
//!
//! - **bounded**: connections, the time for headers and the time to stop have limits.
//! - When told to stop, it accepts nothing more; requests under way are finished, idle connections closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::Front;
use super::alarm::Alarm;
use super::patience::{Patience, Patient};
use crate::config;
use crate::metrics::Metrics;

/// How long the listener rests when the system has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a stop waits for the reader of a stream, if he takes nothing.
const LAST_WORD_MAX: Duration = Duration::from_secs(1);

/// A bound socket.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "listen on {address}: the port is in use; stop what uses it, or name another with --listen (port 0 picks a free one)"
    )]
    InUse { address: String },

    #[error(
        "listen on {address}: {source}; name an address of this machine with --listen, such as 127.0.0.1:4587"
    )]
    Io { address: String, source: std::io::Error },
}

impl Listener {
    pub(crate) async fn bind(address: &str) -> Result<Self, ListenError> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AddrInUse => ListenError::InUse { address: address.to_owned() },
            _ => ListenError::Io { address: address.to_owned(), source },
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address: bound })
    }
}

/// Accepts until `stop` turns true; returns the connections that are still open, for [`finish`].
pub(crate) async fn serve(
    listener: Listener,
    front: Front,
    limits: config::Http,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) -> JoinSet<()> {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(limits.header);
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, seat) = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            accepted = accept(&listener.socket, &room) => accepted,
        };
        let patience = Patience::default();
        let io = TokioIo::new(Patient::new(stream, patience.clone()));
        let front = front.on(patience.clone());
        let connection = builder.clone().timer(Alarm::default()).serve_connection(io, front);
        let told = Told { stop: stop.clone(), patience };
        connections.spawn(attend(connection, seat, metrics.clone(), told));
    }
    connections
}

/// Waits for the connections to end; returns how many were cut off.
pub(crate) async fn finish(mut connections: JoinSet<()>, grace: Duration) -> usize {
    let all = async { while connections.join_next().await.is_some() {} };
    match tokio::time::timeout(grace, all).await {
        Ok(()) => 0,
        Err(_elapsed) => connections.len(),
    }
}

/// Returns when told to stop, or when nobody is left who could tell.
async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn accept(socket: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let seat = Arc::clone(room).acquire_owned().await.expect("nobody closes the semaphore");
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                // An answer is one small write: it must not wait for company.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "connection gone before it was served");
                }
                return (stream, seat);
            }
            Err(error) => {
                warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type Connection = http1::Connection<TokioIo<Patient<TcpStream>>, Front>;

/// What ends a connection.
struct Told {
    stop: watch::Receiver<bool>,
    patience: Patience,
}

async fn attend(
    connection: Connection,
    seat: OwnedSemaphorePermit,
    metrics: Metrics,
    Told { mut stop, patience }: Told,
) {
    metrics.connected();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            patience.shorten(LAST_WORD_MAX);
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
    metrics.disconnected();
    drop(seat);
}
