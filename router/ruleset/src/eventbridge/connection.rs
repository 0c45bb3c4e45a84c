//! Connections of a template, as the `connections` of the configuration.
//!
//! ```text
//! AuthorizationType, AuthParameters ─▶ basic, api_key, oauth
//! InvocationHttpParameters ─▶ headers, query
//! the API destinations that use it ─▶ hosts
//! ```
//!
//! # Invariants
//!
//! - No secret of a template is written anywhere: each becomes the name of an environment variable.
//! - What is written is what `connections` takes; what it does not take is said.

use ::http::{HeaderName, Uri};

use super::build::{as_text, list, literal, map, member, members, text};
use super::functions::first_missing;
use super::notes::{Notes, unknown};
use super::target::encoded;
use super::template::{Template, known};
use crate::yaml::{Filling, Member, Node, Span, Value, write};

/// As long as a connection's name may be here.
const NAME_MAX: usize = 64;
/// Parts of the names whose values the configuration takes from outside alone.
const SECRET_NAMES: [&str; 8] =
    ["auth", "cookie", "key", "token", "secret", "signature", "password", "credential"];
/// The router's own, in every request.
const HEADERS_TAKEN: [&str; 5] =
    ["connection", "content-length", "host", "transfer-encoding", "upgrade"];
/// What has no place can be put nowhere better than at the beginning.
const SPAN: &Span = &(0..0);

/// A connection that rules use.
pub(super) struct Used {
    /// Where it is named.
    pub(super) span: Span,
    /// Where it is used to send to.
    pub(super) urls: Vec<String>,
}

impl Template<'_> {
    /// What a connection of the template is called here.
    pub(super) fn connection_name(&self, logical: &str) -> String {
        let resource = self.resource(logical).map(|(_, resource)| resource);
        let name = resource.and_then(|resource| self.property(resource, "Name"));
        let name = name.as_ref().and_then(known).unwrap_or_else(|| logical.to_owned());
        name.chars().take(NAME_MAX).collect()
    }
}

/// What belongs into the configuration for the connections that rules use.
#[derive(Default)]
pub(super) struct Stanza {
    /// None without any connection.
    pub(super) yaml: Option<String>,
    pub(super) names: Vec<String>,
    /// By the connection's name in the template.
    pub(super) said: Vec<(String, Notes)>,
}

pub(super) fn stanza(template: &Template<'_>) -> Stanza {
    let mut stanza = Stanza::default();
    let mut connections = Vec::new();
    for (logical, used) in template.connections.borrow().iter() {
        let name = template.connection_name(logical);
        let notes = Notes::default();
        let mut making = Making { template, name: &name, notes, resource: SPAN.clone() };
        connections.push(member(&name, making.connection(logical, used)));
        stanza.said.push((logical.clone(), making.notes));
        stanza.names.push(name);
    }
    if !connections.is_empty() {
        let all = map(SPAN, connections);
        stanza.yaml = Some(write(&map(SPAN, vec![member("connections", all)])));
    }
    stanza
}

/// One connection on its way.
struct Making<'m> {
    template: &'m Template<'m>,
    name: &'m str,
    notes: Notes,
    /// Where it stands in the template.
    resource: Span,
}

impl Making<'_> {
    fn connection(&mut self, logical: &str, used: &Used) -> Node {
        let made = self.template.resource(logical);
        let Some(("AWS::Events::Connection", resource)) = made else {
            let reason =
                "the connection is not made in this template: what stands for it is a guess";
            self.notes.lost(&used.span, "ConnectionArn", reason);
            return map(SPAN, [self.basic(None)].into_iter().chain(hosts(&used.urls)).collect());
        };
        self.resource = resource.span.clone();
        let empty = map(SPAN, Vec::new());
        let written = resource.member("Properties").map_or(&empty, |it| &it.value);
        let mut found = Vec::new();
        for Member { key, key_span, .. } in members(written) {
            match key.as_str() {
                "Name" | "AuthorizationType" => (),
                "AuthParameters" => found.extend(self.parameters(resource)),
                "Description" => {
                    self.notes.note(key_span, key, "a connection has no description here")
                }
                "KmsKeyIdentifier" => {
                    self.notes.note(key_span, key, "secrets are kept by who runs the router")
                }
                "InvocationConnectivityParameters" => self.notes.lost(key_span, key, PRIVATE),
                _ => self.notes.lost(key_span, key, "this key is not known"),
            }
        }
        let is_kind = |it: &Member| matches!(it.key.as_str(), "basic" | "api_key" | "oauth");
        if !found.iter().any(is_kind) {
            found.insert(0, self.by_type(resource));
        }
        found.extend(hosts(&used.urls));
        map(SPAN, found)
    }

    /// Without `AuthParameters` that are known: every value from outside.
    fn by_type(&mut self, resource: &Node) -> Member {
        let kind = self.template.property(resource, "AuthorizationType");
        match kind.as_ref().and_then(as_text) {
            Some("API_KEY") => self.api_key(None),
            Some("OAUTH_CLIENT_CREDENTIALS") => self.oauth(None),
            Some("BASIC") => self.basic(None),
            _ => {
                let reason = "it is not said how requests prove who sends them: what stands for it is a guess";
                self.notes.lost(&self.resource.clone(), "AuthParameters", reason);
                self.basic(None)
            }
        }
    }

    fn parameters(&mut self, resource: &Node) -> Vec<Member> {
        let Some(parameters) = self.template.property(resource, "AuthParameters") else {
            return Vec::new();
        };
        if parameters.filling == Filling::Failed {
            let missing = first_missing(&parameters).map(|it| it.0).unwrap_or_default();
            self.notes.lost(&parameters.span, "AuthParameters", unknown(&missing));
        }
        let mut found = Vec::new();
        for Member { key, key_span, value } in members(&parameters) {
            match key.as_str() {
                "BasicAuthParameters" => found.push(self.basic(Some(value))),
                "ApiKeyAuthParameters" => found.push(self.api_key(Some(value))),
                "OAuthParameters" => found.push(self.oauth(Some(value))),
                "InvocationHttpParameters" => found.extend(self.of_every_request(value)),
                "ConnectivityParameters" => self.notes.lost(key_span, key, PRIVATE),
                _ => self.notes.lost(key_span, key, "this key is not known"),
            }
        }
        found
    }

    fn basic(&self, found: Option<&Node>) -> Member {
        let user = found.and_then(|found| known(&found.member("Username")?.value));
        let user = match user {
            Some(user) if is_line(&user) && !user.contains(':') => text(SPAN, &literal(&user)),
            _ => self.outside("USERNAME"),
        };
        let fields = vec![member("user", user), member("password", self.outside("PASSWORD"))];
        member("basic", map(SPAN, fields))
    }

    fn api_key(&mut self, found: Option<&Node>) -> Member {
        let written = found.and_then(|found| found.member("ApiKeyName"));
        let header = written.and_then(|it| known(&it.value)).filter(|name| is_header(name));
        if header.is_none() {
            let span = written.map_or(&self.resource, |it| &it.value.span).clone();
            let reason =
                "it is not known, or no header that can be sent: `x-api-key` stands for it";
            self.notes.lost(&span, "ApiKeyAuthParameters.ApiKeyName", reason);
        }
        let header = header.unwrap_or_else(|| "x-api-key".to_owned());
        let fields =
            vec![member("header", text(SPAN, &header)), member("value", self.outside("API_KEY"))];
        member("api_key", map(SPAN, fields))
    }

    fn oauth(&mut self, found: Option<&Node>) -> Member {
        let empty = map(SPAN, Vec::new());
        let found = found.unwrap_or(&empty);
        let method = self.method(found);
        let parts = found.member("OAuthHttpParameters").map_or(&empty, |it| &it.value);
        let mut more = Vec::new();
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for Member { key, key_span, value } in members(parts) {
            match key.as_str() {
                "BodyParameters" => more.extend(self.pairs(value, key)),
                "QueryStringParameters" if method == "GET" => more.extend(self.pairs(value, key)),
                "QueryStringParameters" => query.extend(self.pairs(value, key)),
                "HeaderParameters" => headers.extend(self.headers(value, key)),
                _ => self.notes.lost(
                    key_span,
                    &format!("OAuthParameters.{key}"),
                    "this key is not known",
                ),
            }
        }
        let client = found
            .member("ClientParameters")
            .and_then(|it| known(&it.value.member("ClientID")?.value));
        let client = client.filter(|id| is_line(id)).map(|id| text(SPAN, &literal(&id)));
        let client = client.unwrap_or_else(|| self.outside("CLIENT_ID"));
        let mut fields = vec![
            member("token_url", self.token_url(found, query)),
            member("client_id", client),
            member("client_secret", self.outside("CLIENT_SECRET")),
        ];
        // What every request for a token of this kind has anyhow.
        let is_grant = |it: &Member| {
            it.key == "grant_type" && as_text(&it.value) == Some("client_credentials")
        };
        more.retain(|it| !is_grant(it));
        let (named, more): (Vec<_>, Vec<_>) =
            more.into_iter().partition(|it| matches!(it.key.as_str(), "scope" | "audience"));
        fields.extend(named);
        if method != "POST" {
            fields.push(member("method", text(SPAN, &method)));
        }
        fields.extend(filled_map("parameters", more));
        fields.extend(filled_map("headers", headers));
        member("oauth", map(SPAN, fields))
    }

    fn method(&mut self, oauth: &Node) -> String {
        let Some(written) = oauth.member("HttpMethod") else { return "POST".to_owned() };
        match known(&written.value) {
            Some(method) if matches!(method.as_str(), "POST" | "PUT" | "GET") => method,
            _ => {
                let reason = "a token is asked for with POST, PUT or GET: POST stands for it";
                self.notes.lost(&written.value.span, "OAuthParameters.HttpMethod", reason);
                "POST".to_owned()
            }
        }
    }

    /// The endpoint, with what it takes in its query.
    fn token_url(&mut self, oauth: &Node, query: Vec<Member>) -> Node {
        let written = oauth.member("AuthorizationEndpoint");
        let Some(url) = written.and_then(|it| known(&it.value)) else {
            return self.outside("TOKEN_URL");
        };
        let mut url = literal(&url);
        for Member { key, value, .. } in query {
            let value = as_text(&value).unwrap_or_default();
            // A secret is a whole `${NAME}`, and its variable has to be encoded as it is sent.
            let value = if value.starts_with("${") { value.to_owned() } else { encoded(value) };
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{}={value}", encoded(&key)));
        }
        Node { filling: Filling::None, ..text(SPAN, &url) }
    }

    /// What goes with every request to the target.
    fn of_every_request(&mut self, parameters: &Node) -> Vec<Member> {
        let mut found = Vec::new();
        for Member { key, key_span, value } in members(parameters) {
            match key.as_str() {
                "HeaderParameters" => found.extend(filled_map("headers", self.headers(value, key))),
                "QueryStringParameters" => {
                    found.extend(filled_map("query", self.pairs(value, key)))
                }
                "BodyParameters" => {
                    let reason = "what is sent is made of the event alone: write it into the `input` of the target";
                    self.notes.lost(key_span, key, reason);
                }
                _ => self.notes.lost(key_span, key, "this key is not known"),
            }
        }
        found
    }

    fn headers(&mut self, node: &Node, place: &str) -> Vec<Member> {
        let mut headers = self.pairs(node, place);
        headers.retain(|header| {
            let is_one = is_header(&header.key);
            if !is_one {
                let reason = "it is no header that can be set: the router says it itself, or its name is none";
                self.notes.lost(&node.span, &format!("{place}.{}", header.key), reason);
            }
            is_one
        });
        headers
    }

    /// `[{ Key, Value, IsValueSecret }, …]` as keys and values, of which the secret ones come from outside.
    fn pairs(&mut self, node: &Node, place: &str) -> Vec<Member> {
        let Value::List(pairs) = &node.value else {
            self.notes.lost(&node.span, place, "it is no list of keys and values");
            return Vec::new();
        };
        let mut found: Vec<Member> = Vec::new();
        for pair in pairs {
            let Some(key) = pair.member("Key").and_then(|it| known(&it.value)) else {
                self.notes.lost(&pair.span, place, "it has no `Key` that is known");
                continue;
            };
            if found.iter().any(|other| other.key.eq_ignore_ascii_case(&key)) {
                self.notes.lost(&pair.span, &format!("{place}.{key}"), "it stands here twice");
                continue;
            }
            found.push(member(&key, self.value(pair, &key)));
        }
        found
    }

    fn value(&self, pair: &Node, key: &str) -> Node {
        let lower = key.to_ascii_lowercase();
        let is_secret = match pair.member("IsValueSecret").map(|it| &it.value.value) {
            Some(Value::Bool(is)) => *is,
            Some(Value::Text(is)) => !is.eq_ignore_ascii_case("false"),
            // As Amazon takes it; but what these two say is in every request, and no secret.
            _ => !matches!(key, "scope" | "audience" | "grant_type"),
        };
        let is_secret = is_secret || SECRET_NAMES.iter().any(|part| lower.contains(part));
        let value = pair.member("Value").and_then(|it| known(&it.value));
        match value.filter(|value| !is_secret && is_line(value)) {
            Some(value) => text(SPAN, &literal(&value)),
            None => self.outside(&variable(key)),
        }
    }

    /// A value that whoever runs the router says.
    fn outside(&self, what: &str) -> Node {
        text(SPAN, &format!("${{{}_{what}}}", variable(self.name)))
    }
}

const PRIVATE: &str =
    "private networks at Amazon are not reached from here: the router sends to the URL by itself";

fn filled_map(key: &str, members: Vec<Member>) -> Option<Member> {
    (!members.is_empty()).then(|| member(key, map(SPAN, members)))
}

/// At Amazon a connection's secret goes to its API destinations alone, and so it does here.
fn hosts(urls: &[String]) -> Option<Member> {
    let mut hosts: Vec<String> = Vec::new();
    for url in urls {
        let host =
            url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_ascii_lowercase))?;
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let hosts: Vec<Node> = hosts.iter().map(|host| text(SPAN, host)).collect();
    (!hosts.is_empty()).then(|| member("hosts", list(SPAN, hosts)))
}

fn is_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_own = HEADERS_TAKEN.contains(&lower.as_str()) || lower.starts_with("slipswitch-");
    !is_own && lower.parse::<HeaderName>().is_ok()
}

/// What may stand in a header or a form as it is.
fn is_line(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// A name as environment variables have them.
fn variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
