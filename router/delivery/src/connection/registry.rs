//! All connections by name. Cheap to clone; every clone is the same.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use event::Timestamp;
use serde::Serialize;

use super::{
    Authorization, Clock, Connection, ConnectionOptions, Moment, OAuth, PAST_MAX, Standing, Tokens,
};
use crate::client::Client;
use crate::connection::mtls::{Made, TlsError};
use crate::egress::Egress;

#[derive(Clone)]
pub struct Connections(Arc<Registry>);

struct Registry {
    clock: Clock,
    idle_max: usize,
    egress: Arc<Egress>,
    all: ArcSwap<BTreeMap<String, Arc<Connection>>>,
}

/// One of them, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionStatus {
    pub name: String,
    pub kind: &'static str,
    /// Whether it shows a certificate.
    pub certificate: bool,
    /// Any when empty.
    pub hosts: Vec<String>,
    #[serde(flatten)]
    pub standing: Standing,
}

impl Connections {
    /// None yet. `idle_max` bounds what each keeps open to one host when nothing is sent.
    pub fn new(clock: Clock, idle_max: usize, egress: Arc<Egress>) -> Self {
        Self(Arc::new(Registry { clock, idle_max, egress, all: ArcSwap::default() }))
    }

    /// None, for good: there is no time to make one at.
    pub fn none() -> Self {
        let moment = Moment { wall: Timestamp::from_millis(0), steady: Duration::ZERO };
        Self::new(Arc::new(move || moment), 0, Arc::default())
    }

    /// Adds a connection, or takes one of the same name out of service; what is the same stays as it is, with its
    /// token. Whether it was another one.
    ///
    /// # Errors
    ///
    /// When there can be no such TLS; nothing has changed then.
    pub fn put(&self, name: &str, options: ConnectionOptions) -> Result<bool, TlsError> {
        let all = self.0.all.load();
        let before = all.get(name);
        if before.is_some_and(|before| before.options == options) {
            return Ok(false);
        }
        let next = Arc::new(self.0.make(name, options, before)?);
        let mut all = BTreeMap::clone(&all);
        all.insert(name.to_owned(), next);
        self.0.all.store(Arc::new(all));
        Ok(true)
    }

    pub fn list(&self) -> Vec<ConnectionStatus> {
        self.0.all.load().values().map(|one| one.status()).collect()
    }

    /// # Errors
    ///
    /// What to do, when there is none of this name.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Connection>, String> {
        let all = self.0.all.load();
        all.get(name).cloned().ok_or_else(|| {
            format!("connection `{name}` is not in the configuration: add it to `connections` in slipswitch.yaml and restart the router, or name another one in the rule")
        })
    }
}

impl Registry {
    fn make(
        &self,
        name: &str,
        options: ConnectionOptions,
        before: Option<&Arc<Connection>>,
    ) -> Result<Connection, TlsError> {
        let (client, holding) = match &options.tls {
            None => (None, None),
            Some(tls) => {
                let Made { config, holding } = tls.make()?;
                (Some(Client::with_tls(self.idle_max, Arc::clone(&self.egress), config)), holding)
            }
        };
        let tokens = match &options.authorization {
            Authorization::OAuth(from) => Some(Tokens::new(OAuth::clone(from))),
            _ => None,
        };
        let mut past = before.map_or_else(Vec::new, |before| before.secrets());
        past.drain(..past.len().saturating_sub(PAST_MAX));
        Ok(Connection {
            name: name.to_owned(),
            options,
            client,
            holding,
            tokens,
            past,
            standing: Mutex::default(),
            clock: Arc::clone(&self.clock),
        })
    }
}

impl Connection {
    fn status(&self) -> ConnectionStatus {
        let ConnectionOptions { authorization, tls, hosts, .. } = &self.options;
        ConnectionStatus {
            name: self.name.clone(),
            kind: authorization.name(),
            certificate: tls.as_ref().is_some_and(|tls| tls.identity.is_some()),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            standing: self.standing(),
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.all.load().keys()).finish()
    }
}
