//! What rules may ask of connections and of the network: by the configuration alone, without a secret or a look-up.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Uri;
use bus::delivery::Egress;
use bus::ruleset::{Connections, Look};

use crate::config::{Config, Settings};

#[derive(Clone, Default)]
pub(crate) struct Fit(Arc<Known>);

#[derive(Default)]
struct Known {
    settings: BTreeMap<String, Settings>,
    egress: Egress,
}

impl Fit {
    pub(crate) fn of(config: &Config) -> Self {
        let (settings, egress) = (config.connections.clone(), config.egress.clone());
        Self(Arc::new(Known { settings, egress }))
    }
}

impl Connections for Fit {
    fn names(&self) -> Vec<&str> {
        self.0.settings.keys().map(String::as_str).collect()
    }

    fn has_hosts(&self, name: &str) -> bool {
        self.0.settings.get(name).is_some_and(|settings| !settings.hosts.is_empty())
    }

    fn refusal(&self, url: &str) -> Option<String> {
        let url = url.parse::<Uri>().ok()?;
        self.0.egress.check_host(url.host()?).err().map(|refusal| refusal.to_string())
    }

    fn look(&self, name: &str, url: &str, headers: &[&str]) -> Look {
        let Some(settings) = self.0.settings.get(name) else { return Look::Unknown };
        if let Some(header) = settings.kind.header()
            && headers.contains(&header)
        {
            return Look::Refused {
                reason: format!("it sends the header `{header}` itself"),
                mend: format!("remove `{header}` from `headers`, or the connection"),
            };
        }
        let Ok(url) = url.parse::<Uri>() else { return Look::Fits };
        if !settings.hosts.is_empty() && !settings.hosts.iter().any(|host| host.allows(&url)) {
            let hosts = settings.hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>();
            return Look::Refused {
                reason: "its `hosts` do not have the host of this URL".to_owned(),
                mend: format!("it is for {}; who owns it can add a host", hosts.join(", ")),
            };
        }
        if settings.tls.identity.is_some() && url.scheme_str() != Some("https") {
            return Look::Refused {
                reason: "it shows a certificate, which http does not".to_owned(),
                mend: "write a URL with `https://`".to_owned(),
            };
        }
        Look::Fits
    }
}
