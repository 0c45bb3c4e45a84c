//! Certificates, against a server that wants one.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use slipswitch_delivery::{
    Answer, Authorization, ConnectionOptions, Identity, Pem, Target, Tls, TlsError,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Hands, delivery, options, reason, secret, target};

/// An authority, and what it has signed: in PEM.
struct Signed {
    authority: String,
    certificate: String,
    key: String,
}

fn signed(names: &[&str], to_year: i32) -> Signed {
    signed_by(&authority(), names, to_year)
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

fn signed_by(authority: &Authority, names: &[&str], to_year: i32) -> Signed {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(to_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
    Signed { authority: authority.pem.clone(), certificate, key: key.serialize_pem() }
}

fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    roots
}

/// Answers one connection with 200 when it shows a certificate that this authority has signed.
async fn serve(listener: TcpListener, own: &Signed, clients: &str) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots(clients));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
    let mut request = vec![0; 64 * 1024];
    if stream.read(&mut request).await.is_ok_and(|read| 0 < read) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.ok();
    }
}

fn pem(text: &str, place: &str) -> Pem {
    Pem { text: secret(text), place: place.to_owned() }
}

fn over(client: &Signed, authority: &str) -> ConnectionOptions {
    let identity = Identity {
        certificate: pem(&client.certificate, "client.pem"),
        key: pem(&client.key, "client.key"),
    };
    let tls = Tls { identity: Some(identity), authorities: Some(pem(authority, "ca.pem")) };
    ConnectionOptions { tls: Some(tls), ..options(Authorization::None) }
}

/// What is said of one delivery to a server that trusts `clients`.
async fn said(client: ConnectionOptions, own: &Signed, clients: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/x", listener.local_addr().unwrap().port());
    let connections = Hands::default().connections();
    connections.put("crm", client).unwrap();
    let target = target(url, &connections);
    let one = delivery();
    tokio::select! {
        answer = target.send(&one) => reason(answer),
        said = async { serve(listener, own, clients).await; std::future::pending().await } => said,
    }
}

#[tokio::test]
async fn a_certificate_is_shown_and_a_private_authority_trusted() {
    let (client, own) = (signed(&["router"], 2100), signed(&["localhost"], 2100));
    let there = said(over(&client, &own.authority), &own, &client.authority).await;
    assert_eq!(there, "accepted");
}

#[tokio::test]
async fn without_the_right_certificate_nothing_is_delivered() {
    let (client, own) = (signed(&["router"], 2100), signed(&["localhost"], 2100));
    let mut bare = over(&client, &own.authority);
    bare.tls.as_mut().unwrap().identity = None;
    for options in [bare, over(&signed(&["router"], 2100), &own.authority)] {
        let words = said(options, &own, &client.authority).await;
        assert!(words.starts_with("later: POST https://localhost:"), "{words}");
    }
    let untrusted = said(over(&client, &client.authority), &own, &client.authority).await;
    assert!(untrusted.contains("invalid peer certificate"), "{untrusted}");
}

#[tokio::test]
async fn one_that_has_ended_is_not_shown() {
    let (client, own) = (signed(&["router"], 2025), signed(&["localhost"], 2100));
    let words = said(over(&client, &own.authority), &own, &client.authority).await;
    let ended = "the certificate in client.pem ended at 2025-01-01T00:00:00.000Z";
    assert!(words.contains(ended), "{words}");
}

#[tokio::test]
async fn what_makes_no_pair_is_said_with_its_files() {
    let (one, other) = (signed(&["a"], 2100), signed(&["b"], 2100));
    let mixed = Signed { key: other.key, ..signed(&["a"], 2100) };
    let connections = Hands::default().connections();
    let refused = connections.put("crm", over(&mixed, &one.authority)).unwrap_err();
    let (certificate, key) = ("client.pem".to_owned(), "client.key".to_owned());
    assert_eq!(refused, TlsError::NotAPair { certificate, key });
    for (certificate, key, said) in [
        ("no", one.key.as_str(), "client.pem holds no certificate in PEM"),
        (one.certificate.as_str(), "no", "client.key holds no private key in PEM"),
        (one.certificate.as_str(), one.certificate.as_str(), "client.key holds no private key"),
    ] {
        let wrong = Signed {
            authority: String::new(),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let error = connections.put("crm", over(&wrong, &one.authority)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(connections.list().is_empty());
}

#[tokio::test]
async fn a_certificate_is_not_shown_over_http() {
    let client = signed(&["router"], 2100);
    let connections = Hands::default().connections();
    connections.put("crm", over(&client, &client.authority)).unwrap();
    let target = target("http://127.0.0.1:9/x".to_owned(), &connections);
    let answer = target.send(&delivery()).await;
    assert!(matches!(&answer, Answer::Unavailable { .. }), "{answer:?}");
    assert!(reason(answer).contains("over https only"));
}
