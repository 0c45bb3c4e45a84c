//! What sends HTTP requests: pooled connections, with or without TLS of their own.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use crate::dial::{self, Dialer, Lookup};
use crate::egress::Egress;

const IDLE_MAX: Duration = Duration::from_secs(30);

/// The connections to all HTTP targets, pooled. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pool: legacy::Client<HttpsConnector<Dialer>, Full<Bytes>>,
    egress: Arc<Egress>,
}

/// Why there is no answer, without a word of the request.
#[derive(Debug)]
pub(crate) struct RequestError {
    pub(crate) reason: String,
    /// The address is one that requests do not go to.
    pub(crate) is_refused: bool,
}

impl Client {
    /// `connections_idle_max` bounds what is kept open to one host when nothing is sent.
    pub fn new(connections_idle_max: usize, egress: Arc<Egress>) -> Self {
        Self::looking_up(connections_idle_max, egress, dial::by_system())
    }

    /// The same with names that mean what `lookup` says.
    pub fn looking_up(connections_idle_max: usize, egress: Arc<Egress>, lookup: Lookup) -> Self {
        let tls = trusting(None).with_no_client_auth();
        Self::made(connections_idle_max, egress, lookup, tls)
    }

    pub(crate) fn with_tls(
        connections_idle_max: usize,
        egress: Arc<Egress>,
        tls: ClientConfig,
    ) -> Self {
        Self::made(connections_idle_max, egress, dial::by_system(), tls)
    }

    fn made(idle_max: usize, egress: Arc<Egress>, lookup: Lookup, tls: ClientConfig) -> Self {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialer::new(Arc::clone(&egress), lookup));
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(idle_max)
            .build(connector);
        Self { pool, egress }
    }

    /// Where its requests may go.
    pub(crate) fn egress(&self) -> &Egress {
        &self.egress
    }

    pub(crate) async fn request(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, RequestError> {
        self.pool.request(request).await.map_err(|error| match dial::refusal(&error) {
            Some(refusal) => RequestError { reason: refusal.to_string(), is_refused: true },
            None => RequestError { reason: causes(&error), is_refused: false },
        })
    }
}

/// TLS that trusts these certificate authorities, or those of the system.
pub(crate) fn trusting(
    authorities: Option<RootCertStore>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    use hyper_rustls::ConfigBuilderExt;

    let builder = || {
        ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the provider has the protocol versions it came with")
    };
    if let Some(authorities) = authorities {
        return builder().with_root_certificates(authorities);
    }
    match builder().with_native_roots() {
        Ok(trusting) => trusting,
        Err(error) => {
            tracing::warn!(%error, "no certificate authorities found on this system: https targets cannot be trusted and will fail");
            builder().with_root_certificates(RootCertStore::empty())
        }
    }
}

/// What lies under an error; its own words ("client error") help nobody where there is more.
fn causes(error: &dyn Error) -> String {
    let first = error.source().unwrap_or(error);
    let mut text = first.to_string();
    let mut inner = first.source();
    while let Some(cause) = inner {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        inner = cause.source();
    }
    text
}
