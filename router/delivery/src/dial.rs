//! What connects to hosts, unless the egress guard refuses the address.
//!
//! # Invariants
//!
//! - What a name was looked up as is what is connected to: nothing is looked up between the guard's look and the
//!   connection.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{io, vec};

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::egress::{Egress, EgressError};

/// Turns the names of hosts into addresses.
pub type Lookup = Arc<dyn Fn(String) -> Looking + Send + Sync>;

/// A name that is being looked up.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// As the system does it.
pub(crate) fn by_system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            // Ports do not matter to names.
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Names, looked up and then asked about.
#[derive(Clone)]
pub(crate) struct Guarded {
    egress: Arc<Egress>,
    lookup: Lookup,
}

impl Service<Name> for Guarded {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (egress, looking) = (Arc::clone(&self.egress), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let (mut goes, mut refused) = (Vec::new(), None);
            for address in looking.await? {
                match egress.check(address) {
                    Ok(()) => goes.push(SocketAddr::new(address, 0)),
                    Err(error) => refused = Some(error),
                }
            }
            match refused {
                Some(error) if goes.is_empty() => Err(error.into()),
                _ => Ok(goes.into_iter()),
            }
        })
    }
}

/// Connects; hosts that are addresses are never looked up, and are asked about here.
#[derive(Clone)]
pub(crate) struct Dialer {
    egress: Arc<Egress>,
    connector: HttpConnector<Guarded>,
}

impl Dialer {
    pub(crate) fn new(egress: Arc<Egress>, lookup: Lookup) -> Self {
        let resolver = Guarded { egress: Arc::clone(&egress), lookup };
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        Self { egress, connector }
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self.egress.check_host(uri.host().unwrap_or_default()) {
            Err(error) => Box::pin(async { Err(error.into()) }),
            Ok(()) => {
                let connecting = self.connector.call(uri);
                Box::pin(async { connecting.await.map_err(Into::into) })
            }
        }
    }
}

/// The guard's refusal, if that is what lies under an error.
pub(crate) fn refusal<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e EgressError> {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(refusal) = one.downcast_ref() {
            return Some(refusal);
        }
        cause = one.source();
    }
    None
}
