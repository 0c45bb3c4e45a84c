//! API destinations of a template: HTTP targets.
//!
//! # Not here
//!
//! - How a request proves who sends it: `connection`.

use super::build::{as_text, map, member, number, text};
use super::connection::Used;
use super::destination::Destination;
use super::notes::unknown;
use super::target::to_url;
use super::template::{Template, known, logical_id};
use crate::yaml::{Node, Value};

impl Template<'_> {
    pub(super) fn api_destination(&self, logical: &str, resource: &Node) -> Destination {
        let nowhere = |reason: String| {
            let wanted = Some(logical.to_owned());
            Destination::Nowhere {
                reason: format!("the API destination `{logical}`: {reason}"),
                wanted,
            }
        };
        let method = self.property(resource, "HttpMethod");
        let method = method.as_ref().and_then(as_text).unwrap_or("POST");
        if method != "POST" {
            return nowhere(format!(
                "its method is {method}, and events are sent with POST: map it to a URL that takes one"
            ));
        }
        let Some(url) = self.property(resource, "InvocationEndpoint") else {
            return nowhere("it has no `InvocationEndpoint`".to_owned());
        };
        let Some(address) = known(&url) else {
            let missing = super::functions::first_missing(&url).map(|it| it.0).unwrap_or_default();
            return nowhere(format!("its endpoint is not known: {}", unknown(&missing)));
        };
        let span = &resource.span;
        let mut said = Vec::new();
        let mut http = vec![member("url", to_url(span, &address))];
        match self.connection_of(resource, &address) {
            Some(connection) => http.push(member("connection", text(span, &connection))),
            None => {
                let reason = format!(
                    "which connection `{logical}` uses is not known: requests prove nothing"
                );
                said.push(("ConnectionArn", reason));
            }
        }
        let http = match http.as_slice() {
            [url] => url.value.clone(),
            _ => map(span, http),
        };
        let mut target = vec![member("http", http)];
        if let Some(rate) = self.property(resource, "InvocationRateLimitPerSecond") {
            match rate_of(&rate) {
                Some(rate) => target.push(member("rate", number(span, rate))),
                None => said.push((
                    "InvocationRateLimitPerSecond",
                    "it is no number that is known".to_owned(),
                )),
            }
        }
        Destination::Here { target: map(span, target), said }
    }

    /// The name that the connection of an API destination has here. It is then wanted in the configuration.
    fn connection_of(&self, destination: &Node, url: &str) -> Option<String> {
        let arn = self.property(destination, "ConnectionArn")?;
        let written = as_text(&arn)?;
        let logical = match logical_id(&arn, written) {
            Some(logical) => logical,
            None => written.split_once(":connection/")?.1.split('/').next()?,
        };
        let mut connections = self.connections.borrow_mut();
        let used = connections.entry(logical.to_owned());
        let used = used.or_insert_with(|| Used { span: arn.span.clone(), urls: Vec::new() });
        used.urls.push(url.to_owned());
        Some(self.connection_name(logical))
    }
}

fn rate_of(node: &Node) -> Option<u64> {
    match &node.value {
        Value::Number(digits) | Value::Text(digits) => digits.parse().ok(),
        _ => None,
    }
}
