//! What the guard lets through to real sockets, and what never leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use receiver::Receiver;
use slipswitch_delivery::{
    Answer, Client, Delivery, DeliveryId, Egress, HttpOptions, HttpTarget, Lookup, Receipt, Target,
};

fn delivery() -> Delivery {
    let (bus, rule, target) = ("shop".into(), "big-orders".into(), "crm".into());
    Delivery {
        id: DeliveryId { bus, offset: 7, rule, target, output: 0, replay: None },
        event_id: Arc::from("e-1"),
        hops: 0,
        attempt: 1,
        body: Bytes::from_static(b"{}"),
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        receipt: Receipt::default(),
    }
}

fn options(url: String) -> HttpOptions {
    HttpOptions { url, headers: Vec::new(), timeout: Duration::from_secs(30), connection: None }
}

/// A name that is each of these in turn, one more at every look; how often it was looked up.
fn turning(addresses: &'static [&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looks);
    let lookup: Lookup = Arc::new(move |_name| {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        let found = addresses[turn.min(addresses.len() - 1)];
        let found: Vec<IpAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async move { Ok(found) })
    });
    (lookup, looks)
}

/// A target at this name, on the receiver's port; nothing is kept open, so that each delivery connects.
fn at_name(receiver: &Receiver, egress: Egress, lookup: Lookup) -> HttpTarget {
    let url = receiver.url("/x").replace("127.0.0.1", "crm.example.org");
    HttpTarget::new(Client::looking_up(0, Arc::new(egress), lookup), options(url)).unwrap()
}

#[track_caller]
fn refused(answer: Answer, word: &str) {
    match answer {
        Answer::Refused { reason } => assert!(reason.contains(word), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_means_a_metadata_address_the_second_time_is_not_connected_to() {
    let receiver = Receiver::start().unwrap();
    let (lookup, looks) = turning(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let target = at_name(&receiver, Egress::default(), lookup);
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
    refused(target.send(&delivery()).await, "169.254.169.254 is link-local");
    assert_eq!((receiver.requests().len(), looks.load(Ordering::Relaxed)), (1, 2));
}

#[tokio::test]
async fn of_several_addresses_only_those_are_tried_that_may_be() {
    let receiver = Receiver::start().unwrap();
    let (lookup, _) = turning(&[&["169.254.169.254", "fe80::1", "127.0.0.1"]]);
    let target = at_name(&receiver, Egress::default(), lookup);
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
}

#[tokio::test]
async fn this_machine_is_refused_by_name_where_private_addresses_are() {
    let receiver = Receiver::start().unwrap();
    let strict = || Egress { is_private_allowed: false, ..Egress::default() };
    let (lookup, _) = turning(&[&["127.0.0.1", "::1", "10.0.0.1"]]);
    let target = at_name(&receiver, strict(), lookup);
    refused(target.send(&delivery()).await, "add it to `egress.allow`");

    // The system's own look-up, and a way to write an address that no parser of ours reads.
    for host in ["localhost", "2130706433", "0x7f.1"] {
        let url = receiver.url("/x").replace("127.0.0.1", host);
        let target = HttpTarget::new(Client::new(1, Arc::new(strict())), options(url)).unwrap();
        match target.send(&delivery()).await {
            Answer::Refused { reason } => assert!(reason.contains("is private"), "{reason}"),
            // Where the system knows no such name, nothing was sent either.
            Answer::Unavailable { .. } => assert_ne!(host, "localhost"),
            other => panic!("{host}: {other:?}"),
        }
    }
    assert!(receiver.requests().is_empty());

    let allowing = Egress { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..strict() };
    let (lookup, _) = turning(&[&["127.0.0.1"]]);
    assert_eq!(at_name(&receiver, allowing, lookup).send(&delivery()).await, Answer::Accepted);
}

#[test]
fn a_refused_address_makes_no_target() {
    for url in
        ["http://169.254.169.254/latest", "https://[fe80::1]:8443/", "http://[::ffff:a9fe:a9fe]/"]
    {
        let made = HttpTarget::new(Client::new(1, Arc::default()), options(url.to_owned()));
        let error = made.err().unwrap().to_string();
        assert!(error.contains("no target may be there"), "{error}");
    }
}
