//! What a connection asks: requests with events go straight to `ingest`, all others through axum's routes.
//!
//! Routing, extractors and middleware cost as much as the check of a small event does. They decide nothing
//! for a request whose method and path say all.
//!
//! # Invariants
//!
//! - A request is answered as axum's routes would: what is not exactly a path of ours goes to them.
//! - Before the router has rules, events are taken and probes answered; all else is to ask again.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::patience::Patience;
use super::{App, count_refusal, ingest, put_events, routes};

/// All that answers, over one state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Front {
    app: Arc<App>,
    routes: TowerToHyperService<axum::Router>,
    /// Of the connection that this serves.
    patience: Patience,
}

impl Front {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let routes = TowerToHyperService::new(routes(Arc::clone(&app)));
        Self { routes, app, patience: Patience::default() }
    }

    /// The same for a connection whose answers may limit how long it waits for its reader.
    pub(super) fn on(&self, patience: Patience) -> Self {
        Self { patience, ..self.clone() }
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path();
        let is_put = path == "/" && request.headers().contains_key(put_events::TARGET);
        let is_ours = request.method() == Method::POST && (is_put || bus_of(path).is_some());
        if !is_ours {
            if !self.app.router.has_begun() && !answers_early(request.uri().path()) {
                let problem = self.app.not_begun();
                return Box::pin(async { Ok(problem.into_response()) });
            }
            request.extensions_mut().insert(self.patience.clone());
            return Box::pin(self.routes.call(request));
        }
        let app = Arc::clone(&self.app);
        Box::pin(async move {
            let (head, mut body) = request.into_parts();
            let response = match bus_of(head.uri.path()) {
                Some(bus) => ingest::ingest(&app, bus, &head.headers, &mut body).await,
                None => put_events::answer(&app, &head.headers, &mut body).await,
            };
            count_refusal(&app, &response);
            Ok(response)
        })
    }
}

/// What is answered before the router has rules: the rest would tell, or change, what is not there yet.
fn answers_early(path: &str) -> bool {
    ["/", "/healthz", "/readyz", "/metrics"].contains(&path)
}

/// The bus whose events are posted to this path; `None` for every other path, and for names that are encoded.
fn bus_of(path: &str) -> Option<&str> {
    if path == "/events" {
        return Some(ingest::DEFAULT_BUS);
    }
    let bus = path.strip_prefix("/buses/")?.strip_suffix("/events")?;
    let is_plain = !bus.is_empty() && !bus.contains(['/', '%']);
    is_plain.then_some(bus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_paths_are_taken_from_the_routes() {
        assert_eq!(bus_of("/events"), Some("default"));
        assert_eq!(bus_of("/buses/shop/events"), Some("shop"));
        for other in [
            "/",
            "/events/",
            "//events",
            "/buses//events",
            "/buses/a/b/events",
            "/buses/sh%6Fp/events",
            "/buses/shop/events/",
            "/buses/events",
            "/healthz",
        ] {
            assert_eq!(bus_of(other), None, "{other}");
        }
    }
}
