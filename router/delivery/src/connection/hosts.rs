//! Which hosts a connection's credentials may go to.
//!
//! Who writes a rule need not be who owns a secret: without such a list, a rule may name any URL and have the secret
//! sent there.

use std::fmt;

use hyper::Uri;

/// `crm.example.org`, `*.example.org` (any host below it), either with `:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, without the `*`.
    host: String,
    is_domain: bool,
    /// Any when none.
    port: Option<u16>,
}

impl HostPattern {
    /// None when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse::<u16>().ok().filter(|port| 0 < *port)?))
            }
            _ => (text, None),
        };
        let (host, is_domain) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        // What a URL's host may be, our pattern's may.
        let is_host = !host.is_empty() && !host.contains(['/', '*', '@', '?', '#', ' ']);
        let parsed = format!("http://{host}/").parse::<Uri>().ok().filter(|_| is_host)?;
        let is_whole = parsed.host() == Some(host);
        is_whole.then(|| Self { host: host.to_ascii_lowercase(), is_domain, port })
    }

    pub fn allows(&self, url: &Uri) -> bool {
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let is_host = if self.is_domain {
            host.strip_suffix(&self.host)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        } else {
            host == self.host
        };
        is_host && self.port.is_none_or(|port| port == port_of(url))
    }
}

/// The one that is meant when none is said.
pub(crate) fn port_of(url: &Uri) -> u16 {
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    url.port_u16().unwrap_or(default)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_domain { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_where_it_may_and_nowhere_else() {
        for (pattern, url, expected) in [
            ("crm.example.org", "https://crm.example.org/x", true),
            ("crm.example.org", "https://CRM.example.org:8443/x", true),
            ("crm.example.org", "https://crm.example.org.evil.net/x", false),
            ("crm.example.org", "https://a.crm.example.org/x", false),
            ("*.example.org", "https://a.b.example.org/x", true),
            ("*.example.org", "https://example.org/x", false),
            ("*.example.org", "https://evilexample.org/x", false),
            ("*.example.org", "https://.example.org/x", false),
            ("a.net:443", "https://a.net/x", true),
            ("a.net:443", "http://a.net/x", false),
            ("127.0.0.1:9000", "http://127.0.0.1:9000", true),
            ("127.0.0.1:9000", "http://127.0.0.1:9001", false),
            ("[::1]:9000", "http://[::1]:9000/", true),
            ("[::1]", "http://[::1]:1/", true),
        ] {
            let found = HostPattern::parse(pattern).unwrap();
            assert_eq!(found.allows(&url.parse().unwrap()), expected, "{pattern} {url}");
            assert_eq!(found.to_string(), pattern);
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in
            ["", "*", "*.", "a.*", "http://a", "a/b", "a:0", "a:99999", "u@a", "a b", ":80", "a:"]
        {
            assert_eq!(HostPattern::parse(bad), None, "{bad}");
        }
    }
}
