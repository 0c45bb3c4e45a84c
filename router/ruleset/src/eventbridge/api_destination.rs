//! API destinations and connections of a template: HTTP targets, and what belongs into the configuration for them.
//!
//! # Invariants
//!
//! - No secret of a template is written anywhere: each becomes the name of an environment variable.

use super::build::{as_text, list, map, member, members, number, text};
use super::destination::Destination;
use super::notes::unknown;
use super::target::to_url;
use super::template::{Template, known, logical_id};
use crate::yaml::{Member, Node, Span, Value, write};

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
        let mut http = vec![member("url", to_url(span, &address))];
        if let Some(connection) = self.connection_of(resource) {
            http.push(member("connection", text(span, &connection)));
        }
        let http = match http.as_slice() {
            [url] => url.value.clone(),
            _ => map(span, http),
        };
        let mut target = vec![member("http", http)];
        let rate = self.property(resource, "InvocationRateLimitPerSecond");
        if let Some(rate) = rate.and_then(|rate| rate_of(&rate)) {
            target.push(member("rate", number(span, rate)));
        }
        Destination::Here { target: map(span, target), said: Vec::new() }
    }

    /// The name that the connection of an API destination has here. It is then wanted in the configuration.
    fn connection_of(&self, destination: &Node) -> Option<String> {
        let arn = self.property(destination, "ConnectionArn")?;
        let written = as_text(&arn)?;
        if let Some(logical) = logical_id(&arn, written) {
            self.connections.borrow_mut().insert(logical.to_owned());
            return Some(self.connection_name(logical));
        }
        let name = written.split_once(":connection/")?.1.split('/').next()?;
        self.connections.borrow_mut().insert(name.to_owned());
        Some(name.to_owned())
    }

    fn connection_name(&self, logical: &str) -> String {
        let resource = self.resource(logical).map(|(_, resource)| resource);
        let name = resource.and_then(|resource| self.property(resource, "Name"));
        name.as_ref().and_then(known).unwrap_or_else(|| logical.to_owned())
    }
}

fn rate_of(node: &Node) -> Option<u64> {
    match &node.value {
        Value::Number(digits) | Value::Text(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// What belongs into the configuration, as YAML, for the connections that rules use; none without any.
pub(super) fn stanza(template: &Template<'_>) -> Option<String> {
    let used = template.connections.borrow();
    if used.is_empty() {
        return None;
    }
    let connections = used.iter().map(|logical| {
        let name = template.connection_name(logical);
        let found = connection(template, logical, &name);
        member(&name, found)
    });
    let span = 0..0;
    let all = map(&span, connections.collect());
    Some(write(&map(&span, vec![member("connections", all)])))
}

fn connection(template: &Template<'_>, logical: &str, name: &str) -> Node {
    let span = &(0..0);
    let secret = |what: &str| text(span, &format!("${{{}_{what}}}", variable(name)));
    let resource = template.resource(logical).map(|(_, resource)| resource);
    let auth = resource.and_then(|resource| template.property(resource, "AuthParameters"));
    let auth = auth.unwrap_or_else(|| map(span, Vec::new()));
    let part = |key: &str| auth.member(key).map(|it| &it.value);
    let mut found = Vec::new();
    if let Some(key) = part("ApiKeyAuthParameters") {
        let header = key.member("ApiKeyName").and_then(|it| known(&it.value));
        let header = header.unwrap_or_else(|| "x-api-key".to_owned());
        let fields =
            vec![member("header", text(span, &header)), member("value", secret("API_KEY"))];
        found.push(member("api_key", map(span, fields)));
    } else if let Some(oauth) = part("OAuthParameters") {
        found.push(member("oauth", oauth_of(oauth, &secret)));
    } else {
        // Also when nothing is known of it: somebody has to say what it is.
        let fields =
            vec![member("username", secret("USERNAME")), member("password", secret("PASSWORD"))];
        found.push(member("basic", map(span, fields)));
    }
    let invocation = part("InvocationHttpParameters").and_then(|it| it.member("HeaderParameters"));
    if let Some(headers) = invocation.and_then(|headers| headers_of(&headers.value, name)) {
        found.push(member("headers", headers));
    }
    map(span, found)
}

fn oauth_of(oauth: &Node, secret: &dyn Fn(&str) -> Node) -> Node {
    let span = &(0..0);
    let endpoint = oauth.member("AuthorizationEndpoint").and_then(|it| known(&it.value));
    let url = endpoint.map_or_else(|| secret("TOKEN_URL"), |url| to_url(span, &url));
    let mut fields = vec![
        member("token_url", url),
        member("client_id", secret("CLIENT_ID")),
        member("client_secret", secret("CLIENT_SECRET")),
    ];
    let body = oauth.member("OAuthHttpParameters").and_then(|it| it.value.member("BodyParameters"));
    let pairs = body.map(|it| &it.value.value);
    let Some(Value::List(pairs)) = pairs else { return map(span, fields) };
    let is_scope = |pair: &&Node| {
        pair.member("Key").and_then(|it| as_text(&it.value)).is_some_and(|key| key == "scope")
    };
    let scope = pairs.iter().find(is_scope).and_then(|pair| known(&pair.member("Value")?.value));
    if let Some(scope) = scope {
        let scopes = scope.split_whitespace().map(|it| text(span, it)).collect();
        fields.push(member("scopes", list(span, scopes)));
    }
    map(span, fields)
}

/// Headers of every request of a connection, each with its value from outside.
fn headers_of(node: &Node, connection: &str) -> Option<Node> {
    let span: &Span = &(0..0);
    let Value::List(pairs) = &node.value else { return None };
    let mut headers: Vec<Member> = Vec::new();
    for pair in pairs {
        let Some(key) = pair.member("Key").and_then(|it| known(&it.value)) else { continue };
        let value = format!("${{{}_{}}}", variable(connection), variable(&key));
        headers.push(member(&key, text(span, &value)));
    }
    let headers = map(span, headers);
    (!members(&headers).is_empty()).then_some(headers)
}

/// A name as environment variables have them.
fn variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
