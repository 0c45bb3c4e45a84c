//! The endpoint that the router is compared with: the same HTTP library, and the same bodies.
//!
//! `/events` reads a body and answers; `/parsed` also parses it, each event into a tree, as an endpoint does that
//! wants to know what it was sent. Neither keeps anything.

use std::hint::black_box;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use serde_json::{Deserializer, Value};
use tokio::net::TcpListener;

use crate::table::line;

/// Serves until standard input ends, which it does when the parent is gone.
pub(crate) fn serve() -> anyhow::Result<()> {
    // As many threads as the router's own runtime has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    end_with_parent();
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        line(&format!("listening on http://{}", listener.local_addr()?));
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).ok();
        });
        let routes = axum::Router::new().route("/events", post(take)).route("/parsed", post(parse));
        axum::serve(listener, routes).await?;
        Ok(())
    })
}

/// Whoever starts this program as a server holds its standard input.
pub(crate) fn end_with_parent() {
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::abort();
    });
}

async fn take(_body: Bytes) -> StatusCode {
    StatusCode::ACCEPTED
}

async fn parse(body: Bytes) -> StatusCode {
    for event in Deserializer::from_slice(&body).into_iter::<Value>() {
        if black_box(event).is_err() {
            return StatusCode::BAD_REQUEST;
        }
    }
    StatusCode::ACCEPTED
}
