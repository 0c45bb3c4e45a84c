//! OAuth, with a token endpoint that does what it is told.

use std::time::Duration;

use receiver::{Answer as Reply, Gate, Receiver};
use slipswitch_delivery::{
    Answer, Authorization, ClientIn, Connections, HttpTarget, OAuth, Target,
};

use super::{Hands, SECRET, delivery, options, reason, secret, target};

fn oauth(receiver: &Receiver) -> OAuth {
    OAuth {
        token_url: receiver.url("/token").parse().unwrap(),
        client_id: "a:b".to_owned(),
        client_secret: secret(SECRET),
        client_in: ClientIn::Body,
        method: "POST".parse().unwrap(),
        parameters: Vec::new(),
        headers: Vec::new(),
        timeout: Duration::from_secs(30),
    }
}

fn grant(token: &str, seconds: u64) -> Reply {
    Reply::status(200).body(format!(r#"{{"access_token":"{token}","expires_in":{seconds}}}"#))
}

fn start(receiver: &Receiver, hands: &Hands, oauth: OAuth) -> (Connections, HttpTarget) {
    let connections = hands.connections();
    connections.put("crm", options(Authorization::OAuth(Box::new(oauth)))).unwrap();
    let target = target(receiver.url("/x"), &connections);
    (connections, target)
}

/// What came to a path: the header `authorization` of each.
fn proofs(receiver: &Receiver, path: &str) -> Vec<String> {
    let requests = receiver.requests().into_iter().filter(|one| one.path == path);
    requests.map(|one| one.header("authorization").unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn many_that_wait_get_one_token() {
    let (receiver, gate) = (Receiver::start().unwrap(), Gate::shut());
    receiver.script("/token", [grant("t-1", 3600).behind(&gate)]);
    let (_, target) = start(&receiver, &Hands::default(), oauth(&receiver));
    let one = delivery();
    let all = async { tokio::join!(target.send(&one), target.send(&one), target.send(&one)) };
    let open = async {
        tokio::task::yield_now().await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(all, open);
    assert_eq!(answers, (Answer::Accepted, Answer::Accepted, Answer::Accepted));
    assert_eq!(proofs(&receiver, "/token").len(), 1);
    assert_eq!(proofs(&receiver, "/x"), ["Bearer t-1"; 3]);
}

#[tokio::test]
async fn a_token_is_fetched_anew_before_it_ends() {
    let receiver = Receiver::start().unwrap();
    receiver.script("/token", [grant("t-1", 3600), Reply::status(503), grant("t-2", 3600)]);
    let hands = Hands::default();
    let (_, target) = start(&receiver, &hands, oauth(&receiver));
    for (seconds, fetched) in [(0, 1), (3500, 1), (50, 2), (0, 2), (2, 3), (0, 3)] {
        hands.move_on(seconds);
        assert_eq!(target.send(&delivery()).await, Answer::Accepted);
        assert_eq!(proofs(&receiver, "/token").len(), fetched, "after {seconds} more seconds");
    }
    let expected =
        ["t-1", "t-1", "t-1", "t-1", "t-2", "t-2"].map(|token| format!("Bearer {token}"));
    assert_eq!(proofs(&receiver, "/x"), expected, "an old one does while it holds");
}

#[tokio::test]
async fn a_token_that_a_target_refuses_is_fetched_anew_once() {
    let receiver = Receiver::start().unwrap();
    receiver.script("/token", [grant("first", 3600), grant("second", 3600), grant("third", 3600)]);
    receiver.script("/x", [Reply::status(200), Reply::status(401), Reply::status(200)]);
    let (_, target) = start(&receiver, &Hands::default(), oauth(&receiver));
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
    let second = delivery();
    assert_eq!(target.send(&second).await, Answer::Accepted);
    assert_eq!(second.receipt.http_status.get(), Some(&200));
    assert_eq!(proofs(&receiver, "/x"), ["Bearer first", "Bearer first", "Bearer second"]);

    receiver.always("/x", Reply::status(407).body("not second, not third"));
    let said = reason(target.send(&delivery()).await);
    assert!(said.starts_with("later: POST ") && said.ends_with("not …, not …"), "{said}");
    assert_eq!(proofs(&receiver, "/x").len(), 5, "twice in one attempt, and no more");
}

#[tokio::test]
async fn a_refusal_is_said_in_words_and_nobody_asks_again_at_once() {
    let receiver = Receiver::start().unwrap();
    let body = format!(r#"{{"error":"invalid_client","error_description":"{SECRET} is wrong"}}"#);
    receiver.always("/token", Reply::status(401).body(body));
    let hands = Hands::default();
    let (connections, target) = start(&receiver, &hands, oauth(&receiver));
    let said = reason(target.send(&delivery()).await);
    let host = receiver.address();
    assert_eq!(
        said,
        format!(
            "later: connection `crm`: no token from {host}: 401 Unauthorized: invalid_client: … is wrong; \
             look at client_id, client_secret, scope and auth of the connection"
        )
    );
    assert_eq!(reason(target.send(&delivery()).await), said);
    assert_eq!(proofs(&receiver, "/token").len(), 1);
    assert!(format!("{:?}", connections.list()).contains("invalid_client"));
    hands.move_on(2);
    receiver.always("/token", grant("t-1", 60));
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
    assert_eq!(proofs(&receiver, "/x"), ["Bearer t-1"]);
}

#[tokio::test]
async fn what_is_no_answer_is_said_in_words() {
    let hidden = |reply: Reply, timeout| async move {
        let receiver = Receiver::start().unwrap();
        receiver.always("/token", reply);
        let oauth = OAuth { timeout, ..oauth(&receiver) };
        let (_, target) = start(&receiver, &Hands::default(), oauth);
        let said = reason(target.send(&delivery()).await);
        assert!(proofs(&receiver, "/x").is_empty());
        said.rsplit_once(&format!("{}: ", receiver.address())).unwrap().1.to_owned()
    };
    let (long, short) = (Duration::from_secs(30), Duration::from_millis(50));
    let gate = Gate::shut();
    assert_eq!(hidden(Reply::status(200).behind(&gate), short).await, "no answer within 50ms");
    gate.open();
    let garbage = hidden(Reply::status(200).body("<html>"), long).await;
    assert_eq!(garbage, "200 OK, but its answer is not the JSON of RFC 6749");
    let huge = hidden(Reply::status(200).body(vec![b' '; 100_000]), long).await;
    assert_eq!(huge, "its answer has more than 65536 bytes");
    let gone = hidden(Reply::hang_up(), long).await;
    assert!(!gone.is_empty(), "{gone}");
}

#[tokio::test]
async fn the_client_stands_where_the_endpoint_wants_it() {
    let receiver = Receiver::start().unwrap();
    receiver.always("/token", grant("t", 60));
    let in_header = OAuth { client_in: ClientIn::Basic, ..oauth(&receiver) };
    let (_, target) = start(&receiver, &Hands::default(), in_header);
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
    let in_query = OAuth { method: "GET".parse().unwrap(), ..oauth(&receiver) };
    let (_, target) = start(&receiver, &Hands::default(), in_query);
    assert_eq!(target.send(&delivery()).await, Answer::Accepted);
    let asked: Vec<_> =
        receiver.requests().into_iter().filter(|one| one.path == "/token").collect();
    assert_eq!(asked[0].text(), "grant_type=client_credentials");
    assert_eq!(asked[0].header("authorization"), Some("Basic YSUzQWI6aHVudGVyMi1odW50ZXIy"));
    let query = "grant_type=client_credentials&client_id=a%3Ab&client_secret=hunter2-hunter2";
    assert_eq!((asked[1].method.as_str(), asked[1].query.as_deref()), ("GET", Some(query)));
    assert_eq!(asked[1].text(), "");
}
