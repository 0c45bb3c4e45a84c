//! The endpoint that the router is compared with: the same HTTP library, reading the same bodies, doing nothing.
//!
//! It is also the target of deliveries: `GET /count` says how many bodies have come.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use crate::table::line;

/// Serves until standard input ends, which it does when the parent is gone.
pub(crate) fn serve() -> anyhow::Result<()> {
    // As many threads as the router's own runtime has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::abort();
    });
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        line(&format!("listening on http://{}", listener.local_addr()?));
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).ok();
        });
        let routes = axum::Router::new()
            .route("/events", post(take))
            .route("/count", get(count))
            .with_state(Arc::<AtomicU64>::default());
        axum::serve(listener, routes).await?;
        Ok(())
    })
}

async fn take(State(bodies): State<Arc<AtomicU64>>, _body: Bytes) -> StatusCode {
    bodies.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn count(State(bodies): State<Arc<AtomicU64>>) -> String {
    bodies.load(Ordering::Relaxed).to_string()
}
