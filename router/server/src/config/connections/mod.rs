//! `connections`: how requests to targets prove who sends them.
//!
//! # Invariants
//!
//! - A secret does not stand in the file, whatever its key: `${…}` says where it is. One that stands there all the same
//!   is refused, and no diagnostic shows it (see `masked`).
//! - Every problem is reported, not the first.
//!
//! # Not here
//!
//! - Reading the secrets: `crate::connections`, at the start and whenever they change.

mod kinds;
mod settings;
mod tree;

use serde_saphyr::Spanned;

use super::Config;
use super::diagnose::{list, nearest};
use super::file::Checks;
use bus::delivery::HostPattern;

pub(crate) use settings::{Kind, OAuth, Settings, SigV4, Tls, Written};
pub(super) use tree::Tree;

const KINDS: &[&str] = &["none", "basic", "api_key", "bearer", "oauth", "sigv4"];
const KEYS: &[&str] = &[
    "none", "basic", "api_key", "bearer", "oauth", "sigv4", "mtls", "ca", "headers", "query",
    "hosts",
];
/// Parts of the names of headers and parameters whose values are secrets.
const SECRET_NAMES: [&str; 8] =
    ["auth", "cookie", "key", "token", "secret", "signature", "password", "credential"];
pub(super) const SECRET_MEND: &str = "write ${NAME} for the environment's NAME, ${file:PATH}, or ${credential:NAME} for one of systemd's";

/// A map of the file, and where it stands.
struct Section<'t> {
    /// As in `connections.crm.basic`.
    path: String,
    members: &'t [(Spanned<String>, Spanned<Tree>)],
    /// For what is missing.
    at: &'t Spanned<String>,
}

impl Checks<'_> {
    pub(super) fn connections(&mut self, found: &Spanned<Tree>, into: &mut Config) {
        let Some(members) = found.value.members() else {
            let reason = "`connections` must be a map".to_owned();
            self.problem(found, reason, "write each connection as `NAME: { … }`");
            return;
        };
        for (name, tree) in members {
            let plain =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            if !(1..=64).contains(&name.value.len()) || !name.value.bytes().all(plain) {
                let reason = "this is no name for a connection".to_owned();
                self.problem(name, reason, "use 1 to 64 letters, digits, `.`, `-` and `_`");
                continue;
            }
            let path = format!("connections.{}", name.value);
            if let Tree::Text(text) = &tree.value
                && text == "none"
            {
                into.connections.insert(name.value.clone(), Settings::none());
                continue;
            }
            let Some(section) = self.section(path, name, tree, KEYS) else { continue };
            if let Some(settings) = self.connection(&section) {
                into.connections.insert(name.value.clone(), settings);
            }
        }
    }

    fn connection(&mut self, section: &Section<'_>) -> Option<Settings> {
        let kinds: Vec<_> =
            section.members.iter().filter(|(key, _)| KINDS.contains(&key.value.as_str())).collect();
        let kind = match kinds.as_slice() {
            [] => Some(Kind::None),
            [(key, tree)] => self.kind(section, key, tree),
            [(first, _), (second, _), ..] => {
                let reason = format!(
                    "a connection is of one kind, and this has `{}` and `{}`",
                    first.value, second.value
                );
                self.problem(second, reason, "make two connections of it");
                None
            }
        };
        let tls = self.tls(section);
        let headers = self.parameters(section, "headers");
        let query = self.parameters(section, "query");
        let hosts = self.hosts(section);
        Some(Settings { kind: kind?, tls: tls?, headers: headers?, query: query?, hosts: hosts? })
    }

    /// `mtls`, and `ca`, which may stand in it.
    fn tls(&mut self, section: &Section<'_>) -> Option<Tls> {
        let outer = self.optional(section, "ca");
        let Some((key, tree)) = section.member("mtls") else {
            return Some(Tls { identity: None, authorities: outer });
        };
        let path = format!("{}.mtls", section.path);
        let mtls = self.section(path, key, tree, &["certificate", "key", "ca"])?;
        let inner = self.optional(&mtls, "ca");
        if let (Some(_), Some((key, _))) = (&outer, mtls.member("ca")) {
            self.problem(key, "`ca` stands here and beside `mtls`".to_owned(), "keep one of them");
        }
        let certificate = self.required(&mtls, "certificate");
        let private = self.required(&mtls, "key");
        if let (Some(written), Some((_, tree))) = (&private, mtls.member("key"))
            && written.text.contains("-----BEGIN")
        {
            let reason = "the key itself does not stand in this file".to_owned();
            self.problem(tree, reason, "write the path of its file, or ${credential:NAME}");
            return None;
        }
        Some(Tls { identity: Some((certificate?, private?)), authorities: inner.or(outer) })
    }

    fn hosts(&mut self, section: &Section<'_>) -> Option<Vec<HostPattern>> {
        let Some((_, tree)) = section.member("hosts") else { return Some(Vec::new()) };
        let mend = "write hosts, such as [crm.example.org, \"*.example.net\", \"10.0.0.7:8443\"]";
        let Tree::List(items) = &tree.value else {
            self.problem(tree, "`hosts` must be a list".to_owned(), mend);
            return None;
        };
        let mut hosts = Vec::new();
        for item in items {
            let text = if let Tree::Text(text) = &item.value { text.as_str() } else { "" };
            match HostPattern::parse(text) {
                Some(host) => hosts.push(host),
                None => self.problem(item, "this is no host".to_owned(), mend),
            }
        }
        if items.is_empty() {
            self.problem(tree, "`hosts` allows none".to_owned(), "name one, or remove the key");
        }
        (!items.is_empty() && hosts.len() == items.len()).then_some(hosts)
    }

    /// Names with values. Those of a name that sounds of a secret are not written down here.
    fn parameters(&mut self, section: &Section<'_>, key: &str) -> Option<Vec<(String, Written)>> {
        let Some((at, tree)) = section.member(key) else { return Some(Vec::new()) };
        let Some(members) = tree.value.members() else {
            let reason = format!("`{key}` must be a map");
            self.problem(at, reason, "write names with their values");
            return None;
        };
        let section = Section { path: format!("{}.{key}", section.path), members, at };
        let mut parameters = Vec::new();
        for (name, tree) in members {
            let lower = name.value.to_ascii_lowercase();
            let is_secret = SECRET_NAMES.iter().any(|part| lower.contains(part));
            if key == "headers" && !self.is_header(name) {
                continue;
            }
            let written = self.text(&section, name, tree)?;
            if is_secret && !self.is_reference(&written, tree) {
                continue;
            }
            let name = if key == "headers" { lower } else { name.value.clone() };
            parameters.push((name, written));
        }
        (parameters.len() == members.len()).then_some(parameters)
    }

    fn is_header(&mut self, name: &Spanned<String>) -> bool {
        const TAKEN: [&str; 5] =
            ["connection", "content-length", "host", "transfer-encoding", "upgrade"];
        let lower = name.value.to_ascii_lowercase();
        let is_one = lower.parse::<axum::http::HeaderName>().is_ok();
        if !is_one {
            self.problem(
                name,
                "this is no name of a header".to_owned(),
                "names have letters, digits and hyphens",
            );
        } else if TAKEN.contains(&lower.as_str()) || lower.starts_with("slipswitch-") {
            self.problem(name, format!("the header `{lower}` is the router's own"), "remove it");
            return false;
        }
        is_one
    }

    fn section<'t>(
        &mut self,
        path: String,
        at: &'t Spanned<String>,
        tree: &'t Spanned<Tree>,
        keys: &[&str],
    ) -> Option<Section<'t>> {
        let Some(members) = tree.value.members() else {
            let reason = format!("`{}` must be a map", at.value);
            self.problem(at, reason, &format!("its keys are {}", list(keys)));
            return None;
        };
        for (key, _) in members {
            if keys.contains(&key.value.as_str()) {
                continue;
            }
            let mend = match nearest(&key.value, keys) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("the keys here are {}", keys.join(", ")),
            };
            self.problem(key, format!("unknown key `{}`", key.value), &mend);
        }
        Some(Section { path, members, at })
    }

    fn required(&mut self, section: &Section<'_>, key: &str) -> Option<Written> {
        if section.member(key).is_none() {
            let reason = format!("`{}` has no `{key}`", section.path);
            self.problem(section.at, reason, &format!("add `{key}:`"));
        }
        self.optional(section, key)
    }

    fn optional(&mut self, section: &Section<'_>, key: &str) -> Option<Written> {
        let (at, tree) = section.member(key)?;
        self.text(section, at, tree)
    }

    /// A secret, which does not stand here.
    fn secret(&mut self, section: &Section<'_>, key: &str) -> Option<Written> {
        let written = self.required(section, key)?;
        let (_, tree) = section.member(key)?;
        self.is_reference(&written, tree).then_some(written)
    }

    fn is_reference(&mut self, written: &Written, tree: &Spanned<Tree>) -> bool {
        let text = &written.text;
        let is_one = text.replace("$${", "").contains("${") && !text.contains(":-");
        if !is_one {
            self.problem(tree, "a secret does not stand in this file".to_owned(), SECRET_MEND);
        }
        is_one
    }

    fn text(
        &mut self,
        section: &Section<'_>,
        key: &Spanned<String>,
        tree: &Spanned<Tree>,
    ) -> Option<Written> {
        let wrong = match &tree.value {
            Tree::Text(text) if !text.is_empty() => {
                let line = key.referenced.line();
                let (path, within) = (self.path(), &section.path);
                let place = format!("{path}:{line}: {within}.{}", key.value);
                return Some(Written { text: text.clone(), place });
            }
            Tree::Text(_) | Tree::Nothing => "is empty",
            Tree::Other => "must be a text: put it in quotes",
            Tree::List(_) | Tree::Map(_) => "must be a text",
        };
        let reason = format!("`{}.{}` {wrong}", section.path, key.value);
        self.problem(key, reason, "write one text");
        None
    }
}

impl<'t> Section<'t> {
    fn member(&self, key: &str) -> Option<&'t (Spanned<String>, Spanned<Tree>)> {
        self.members.iter().find(|(name, _)| name.value == key)
    }
}

impl Settings {
    fn none() -> Self {
        let (headers, query, hosts) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind: Kind::None, tls: Tls::default(), headers, query, hosts }
    }
}
