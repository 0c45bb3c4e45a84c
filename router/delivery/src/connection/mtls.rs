//! TLS of a connection: the certificate it shows, and the authorities it trusts.

mod validity;

use event::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::client::trusting;
use crate::secret::Secret;

/// Texts in PEM, each with the place it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub identity: Option<Identity>,
    /// Only what these have signed is trusted. None: what the system trusts.
    pub authorities: Option<Pem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate first, then those that lead to the authority.
    pub certificate: Pem,
    pub key: Pem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pem {
    pub text: Secret,
    /// For errors.
    pub place: String,
}

/// Why there is no such TLS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("{place} holds no certificate in PEM: it must have a `-----BEGIN CERTIFICATE-----`")]
    NoCertificate { place: String },

    #[error(
        "{place} holds no private key in PEM: it must have a `-----BEGIN PRIVATE KEY-----`, not encrypted"
    )]
    NoKey { place: String },

    #[error(
        "the key in {key} is not that of the certificate in {certificate}: put the two of one pair there"
    )]
    NotAPair { certificate: String, key: String },

    #[error("the certificate in {place} cannot be used: {reason}")]
    Certificate { place: String, reason: String },
}

/// From when to when a certificate holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    place: String,
    from: Timestamp,
    to: Timestamp,
}

/// What is made of it.
pub(crate) struct Made {
    pub config: ClientConfig,
    /// Of the certificate it shows.
    pub holding: Option<Holding>,
}

impl Tls {
    pub(crate) fn make(&self) -> Result<Made, TlsError> {
        let builder = trusting(self.authorities.as_ref().map(authorities).transpose()?);
        let Some(Identity { certificate, key }) = &self.identity else {
            return Ok(Made { config: builder.with_no_client_auth(), holding: None });
        };
        let chain = certificates(certificate)?;
        let holding = chain.first().and_then(|first| validity::of(first));
        let holding =
            holding.map(|(from, to)| Holding { place: certificate.place.clone(), from, to });
        let private = PrivateKeyDer::from_pem_slice(key.text.expose().as_bytes())
            .map_err(|_may_quote_it| TlsError::NoKey { place: key.place.clone() })?;
        let config =
            builder.with_client_auth_cert(chain, private).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => TlsError::NotAPair {
                    certificate: certificate.place.clone(),
                    key: key.place.clone(),
                },
                other => TlsError::Certificate {
                    place: certificate.place.clone(),
                    reason: other.to_string(),
                },
            })?;
        Ok(Made { config, holding })
    }
}

impl Holding {
    /// Why it does not hold now, and what to do.
    pub(crate) fn objection(&self, now: Timestamp) -> Option<String> {
        let Self { place, from, to } = self;
        if *to < now {
            return Some(format!(
                "the certificate in {place} ended at {to}: put a new one there, it is read again by itself"
            ));
        }
        (now < *from).then(|| {
            format!("the certificate in {place} begins only at {from}: is the clock right?")
        })
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = || TlsError::NoCertificate { place: pem.place.clone() };
    let read = CertificateDer::pem_slice_iter(pem.text.expose().as_bytes());
    let chain = read.collect::<Result<Vec<_>, _>>().map_err(|_may_quote_it| none())?;
    if chain.is_empty() { Err(none()) } else { Ok(chain) }
}

fn authorities(pem: &Pem) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate).map_err(|error| TlsError::Certificate {
            place: pem.place.clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(store)
}
