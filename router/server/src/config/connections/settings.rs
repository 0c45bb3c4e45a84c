//! Connections as they are written, before anybody has read a secret.

use std::time::Duration;

use bus::delivery::{ClientIn, HostPattern};

/// A text with `${…}` in it, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// As in `slipswitch.yaml:7: connections.crm.basic.password`.
    pub(crate) place: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    pub(crate) tls: Tls,
    pub(crate) headers: Vec<(String, Written)>,
    pub(crate) query: Vec<(String, Written)>,
    pub(crate) hosts: Vec<HostPattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Basic { user: Written, password: Written },
    ApiKey { header: String, value: Written },
    Bearer { token: Written },
    OAuth(Box<OAuth>),
    SigV4(Box<SigV4>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OAuth {
    pub(crate) token_url: Written,
    pub(crate) client_id: Written,
    pub(crate) client_secret: Written,
    pub(crate) client_in: ClientIn,
    pub(crate) method: &'static str,
    /// Scope and audience among them.
    pub(crate) parameters: Vec<(String, Written)>,
    pub(crate) headers: Vec<(String, Written)>,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigV4 {
    pub(crate) access_key_id: Written,
    pub(crate) secret_access_key: Written,
    pub(crate) session_token: Option<Written>,
    pub(crate) region: Written,
    pub(crate) service: Written,
}

/// Paths of PEM files, or `${…}` of their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The certificate, and its key.
    pub(crate) identity: Option<(Written, Written)>,
    pub(crate) authorities: Option<Written>,
}

impl Kind {
    /// The header that proves who sends, in lower case; a rule may not say it itself.
    pub(crate) fn header(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::ApiKey { header, .. } => Some(header),
            Self::Basic { .. } | Self::Bearer { .. } | Self::OAuth(_) | Self::SigV4(_) => {
                Some("authorization")
            }
        }
    }
}
