//! Connections against real sockets: what is sent, and what becomes of it when it is not taken.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod certificates;
mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use event::Timestamp;
use receiver::{Answer as Reply, Receiver};
use slipswitch_delivery::{
    Answer, Authorization, Basic, Client, ConnectionOptions, Connections, Delivery, DeliveryId,
    HostPattern, HttpOptions, HttpTarget, Moment, Over, Receipt, Secret, Standing, Target,
};

const SECRET: &str = "hunter2-hunter2";

/// A clock that stands until somebody moves it.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Hands {
    fn move_on(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn connections(&self) -> Connections {
        let hands = Arc::clone(&self.0);
        let moment = move || {
            let steady = Duration::from_secs(1000 + hands.load(Ordering::SeqCst));
            let wall = Timestamp::parse("2026-11-24T08:00:00Z").unwrap();
            Moment { wall: wall.after(steady), steady }
        };
        Connections::new(Arc::new(moment), 4, Arc::default())
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn options(authorization: Authorization) -> ConnectionOptions {
    let (headers, query, hosts) = (Vec::new(), Vec::new(), Vec::new());
    ConnectionOptions { authorization, tls: None, headers, query, hosts }
}

fn basic() -> ConnectionOptions {
    options(Authorization::Basic(Basic { user: "ann".to_owned(), password: secret(SECRET) }))
}

fn delivery() -> Delivery {
    Delivery {
        id: DeliveryId {
            bus: "shop".into(),
            offset: 7,
            rule: "r".into(),
            target: "t".into(),
            output: 0,
            replay: None,
        },
        event_id: Arc::from("e"),
        hops: 0,
        attempt: 1,
        body: Bytes::from_static(b"{}"),
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        receipt: Receipt { http_status: OnceLock::new(), ..Receipt::default() },
    }
}

fn target(url: String, connections: &Connections) -> HttpTarget {
    let over = Over { name: "crm".to_owned(), connections: connections.clone() };
    let (timeout, connection) = (Duration::from_secs(30), Some(over));
    let options = HttpOptions { url, headers: Vec::new(), timeout, connection };
    HttpTarget::new(Client::new(4, Arc::default()), options).unwrap()
}

fn reason(answer: Answer) -> String {
    match answer {
        Answer::Accepted => "accepted".to_owned(),
        Answer::Refused { reason } | Answer::Gone { reason } | Answer::TimedOut { reason } => {
            reason
        }
        Answer::Unavailable { reason, .. } => format!("later: {reason}"),
    }
}

#[tokio::test]
async fn without_its_connection_a_delivery_waits() {
    let receiver = Receiver::start().unwrap();
    let connections = Hands::default().connections();
    let target = target(receiver.url("/x"), &connections);
    let said = reason(target.send(&delivery()).await);
    assert!(said.starts_with("later: connection `crm` is not in the configuration"), "{said}");
    assert!(receiver.requests().is_empty());
    connections.put("crm", basic()).unwrap();
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
}

#[tokio::test]
async fn a_secret_goes_to_its_hosts_alone() {
    let receiver = Receiver::start().unwrap();
    let connections = Hands::default().connections();
    let hosts = vec![HostPattern::parse("crm.example.org").unwrap()];
    connections.put("crm", ConnectionOptions { hosts, ..basic() }).unwrap();
    let said = reason(target(receiver.url("/x"), &connections).send(&delivery()).await);
    assert!(said.contains("it is for crm.example.org, and not for 127.0.0.1:"), "{said}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn what_a_target_says_again_is_hidden_also_after_a_rotation() {
    let receiver = Receiver::start().unwrap();
    let connections = Hands::default().connections();
    connections.put("crm", basic()).unwrap();
    let target = target(receiver.url("/x"), &connections);
    let echo = format!("{}{SECRET} YW5uOmh1bnRlcjItaHVudGVyMg== end", "x".repeat(190));
    receiver.always("/x", Reply::status(400).body(echo));
    let said = reason(target.send(&delivery()).await);
    assert!(said.ends_with("x… … end"), "{said}");
    let next = Basic { user: "ann".to_owned(), password: secret("another-one") };
    assert!(connections.put("crm", options(Authorization::Basic(next))).unwrap());
    let said = reason(target.send(&delivery()).await);
    assert!(said.ends_with("x… … end"), "{said}");
}

#[tokio::test]
async fn a_401_is_final_where_no_token_is_fetched_and_the_standing_says_so() {
    let receiver = Receiver::start().unwrap();
    let connections = Hands::default().connections();
    connections.put("crm", basic()).unwrap();
    let target = target(receiver.url("/x"), &connections);
    assert_eq!(connections.list()[0].standing, Standing::Unused);
    receiver.script("/x", [Reply::status(401), Reply::status(200)]);
    let answer = target.send(&delivery()).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    assert_eq!(receiver.requests().len(), 1);
    let standing = connections.list().remove(0).standing;
    assert!(matches!(standing, Standing::Unauthorized { .. }), "{standing:?}");
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
    let standing = connections.list().remove(0).standing;
    assert!(matches!(standing, Standing::Authorized { .. }), "{standing:?}");
    assert!(!connections.put("crm", basic()).unwrap(), "the same stays as it is");
    assert_eq!(connections.list()[0].standing, standing);
}
