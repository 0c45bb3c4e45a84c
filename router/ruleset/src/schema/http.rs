//! `http: { url, headers, timeout, connection }`, or `http: URL`.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Uri};

use super::Reading;
use super::duration::Bounds;
use super::flow::TIMEOUT;
use super::keys::HTTP;
use super::target::Targets;
use crate::code::Code;
use crate::connections::Look;
use crate::rule::Http;
use crate::yaml::{Filling, Node, Value};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// What the router says itself in every request, or what frames it.
const HEADERS_TAKEN: [&str; 5] =
    ["connection", "content-length", "host", "transfer-encoding", "upgrade"];
const HEADERS_OWN: &str = "slipswitch-";

impl Reading<'_> {
    pub(super) fn http(&mut self, node: &Node, targets: &mut Targets) -> Option<Http> {
        if let Value::Text(_) = &node.value {
            let filled = self.filled(node);
            return self.http_of(node, &filled);
        }
        if !self.is_section(node, &HTTP) {
            return None;
        }
        let filled = self.filled_section(node, &HTTP);
        let timeout = match filled.member("timeout") {
            Some(timeout) => {
                self.duration(&timeout.value, &Bounds { what: "`timeout`", allowed: TIMEOUT })
            }
            None => Some(TIMEOUT_DEFAULT),
        };
        let headers = match filled.member("headers") {
            Some(headers) => self.headers(&headers.value),
            None => Some(Vec::new()),
        };
        let written = self.required(node, &HTTP, "url")?;
        let url = filled.member("url").map_or(written, |member| &member.value);
        // Looked at also when the rest is broken.
        let whole = self.http_of(written, url)?;
        let http = Http { headers: headers?, timeout: timeout?, ..whole };
        match node.member("connection") {
            Some(connection) => self.over(&connection.value, http, targets),
            None => Some(http),
        }
    }

    /// A target of which only the URL is said.
    fn http_of(&mut self, written: &Node, url: &Node) -> Option<Http> {
        let text = self.text(url, "`url`")?;
        if let Err((what, mend)) = check_url(text) {
            let is_filled = url.filling != Filling::None;
            let of = if is_filled { " once its values are filled in" } else { "" };
            let message = format!("`url` is no URL to send to{of}: {what}");
            self.fault(url.span.clone(), (message, "not a URL to send to", mend));
            return None;
        }
        if let Some(refusal) = self.context.connections.refusal(text) {
            let message = format!("nothing is sent to this target: {refusal}");
            let mend = "name a host that targets may be on; docs/configuration.md has `egress`";
            self.fault_as(Code::TargetRefused, url.span.clone(), (message, "refused", mend));
            return None;
        }
        let Value::Text(url_shown) = &written.value else { return None };
        Some(Http {
            url: text.to_owned(),
            headers: Vec::new(),
            timeout: TIMEOUT_DEFAULT,
            connection: None,
            url_shown: url_shown.clone(),
        })
    }

    /// `http` over a connection of the configuration, which must be meant for it.
    fn over(&mut self, node: &Node, http: Http, targets: &mut Targets) -> Option<Http> {
        let name = self.name(node, "a connection")?.to_owned();
        let headers: Vec<&str> = http.headers.iter().map(|(name, _)| name.as_str()).collect();
        match self.context.connections.look(&name, &http.url, &headers) {
            // Its secret would go to whatever host the sender likes.
            Look::Fits if !self.is_trusted() && !self.context.connections.has_hosts(&name) => {
                let words = (
                    format!(
                        "the connection `{name}` has no `hosts`, and is for rules in files alone"
                    ),
                    "not for rules made over an interface",
                    "who owns it can list the hosts it is for; or keep the rule in a file of the router's folder",
                );
                self.fault_as(Code::OnlyInFiles, node.span.clone(), words);
            }
            Look::Fits => (),
            Look::Unknown => targets.connections.push((name.clone(), node.span.clone())),
            Look::Refused { reason, mend } => {
                let message = format!("the connection `{name}` is not for this target: {reason}");
                self.fault_as(
                    Code::ConnectionUnfit,
                    node.span.clone(),
                    (message, "not for this target", mend),
                );
            }
        }
        Some(Http { connection: Some(name), ..http })
    }

    fn headers(&mut self, node: &Node) -> Option<Vec<(String, String)>> {
        let Value::Map(members) = &node.value else {
            let words = (
                "`headers` must be a map",
                format!("this is {}", node.kind()),
                "write a header's name and its value, such as `x-team: orders`",
            );
            self.fault_as(Code::WrongType, node.span.clone(), words);
            return None;
        };
        let mut headers = Vec::new();
        for member in members {
            let key = member.key.to_ascii_lowercase();
            if HeaderName::try_from(&key).is_err() {
                let words = (
                    format!("`{}` is no name of a header", member.key),
                    "not a name",
                    "names have letters, digits and hyphens",
                );
                self.fault(member.key_span.clone(), words);
            } else if HEADERS_TAKEN.contains(&key.as_str()) || key.starts_with(HEADERS_OWN) {
                let words = (
                    format!("the header `{key}` is the router's own"),
                    "cannot be set",
                    "remove it",
                );
                self.fault(member.key_span.clone(), words);
            } else if headers.iter().any(|(known, _)| *known == key) {
                let message = format!("the header `{key}` is given twice");
                self.fault(
                    member.key_span.clone(),
                    (message, "the second one", "keep one of the two"),
                );
            }
            let what = format!("the header `{}`", member.key);
            let Some(value) = self.text(&member.value, &what) else { continue };
            if HeaderValue::try_from(value).is_err() {
                let words = (
                    format!("{what} has a character that headers cannot carry"),
                    "not a header's value",
                    "write one line of text without control characters",
                );
                self.fault(member.value.span.clone(), words);
            }
            headers.push((key, value.to_owned()));
        }
        Some(headers)
    }
}

/// What is wrong with a URL, without repeating it: it may hold a secret.
fn check_url(text: &str) -> Result<(), (&'static str, &'static str)> {
    const FORM: &str = "write one such as `https://example.org/orders`";

    if text.is_empty() {
        return Err(("it is empty", FORM));
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => (),
        Some(_) => {
            return Err(("its scheme is neither http nor https", "write `http://` or `https://`"));
        }
        None => return Err(("it has no scheme", "begin with `http://` or `https://`")),
    }
    if text.contains(char::is_whitespace) {
        return Err(("it has white space in it", "write a space as `%20`"));
    }
    if !text.is_ascii() {
        return Err((
            "it has characters that a URL cannot carry",
            "write them percent-encoded, or as `xn--…` in the host",
        ));
    }
    let after_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    if after_scheme.is_empty() || after_scheme.starts_with(['/', ':', '?']) {
        return Err(("it has no host", FORM));
    }
    if text.contains('#') {
        return Err(("its fragment (`#…`) is never sent", "remove the fragment"));
    }
    let Ok(uri) = text.parse::<Uri>() else { return Err(("it cannot be read", FORM)) };
    let Some(authority) = uri.authority() else { return Err(("it has no host", FORM)) };
    if authority.as_str().contains('@') {
        return Err((
            "it has a user name in it, which is not sent",
            "name a `connection` with `basic`, or put the credentials into `headers`, as `authorization: Basic …`",
        ));
    }
    if authority.host().is_empty() {
        return Err(("it has no host", FORM));
    }
    let port = authority.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    if port.is_some() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(("its port is none", "write a port from 1 to 65535"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_https_with_a_host_are_sent_to() {
        for good in [
            "http://127.0.0.1:9000/orders?x=1",
            "https://example.org",
            "HTTP://localhost:1/",
            "http://[::1]:80/x",
            "http://[::1]/x",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "example.org/x",
            "/orders",
            "ftp://x/y",
            "http://",
            "http:///x",
            "http://:80/",
            "http://a b/",
            "http://user:pass@host/",
            "http://host:99999/",
            "http://host:/",
            "http://host:0/",
            "http://hóst/",
            "http://host/#x",
            "http//x",
            "mailto:x@y",
            "http://[::1",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
