//! Targets against real sockets and files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use receiver::{Answer as Reply, Receiver};
use slipswitch_delivery::{
    Answer, Client, Delivery, DeliveryId, HttpOptions, HttpTarget, LogTarget, Receipt, Target,
};

fn delivery(body: &str, content_type: &str) -> Delivery {
    Delivery {
        id: DeliveryId {
            bus: "shop".into(),
            offset: 7,
            rule: "big-orders".into(),
            target: "crm".into(),
            output: 0,
            replay: None,
        },
        event_id: Arc::from("sự-kiện 1"),
        hops: 0,
        attempt: 3,
        body: Bytes::copy_from_slice(body.as_bytes()),
        content_type: content_type.to_owned(),
        attributes: vec![("ordering-key".into(), "k-1".into()), ("region".into(), "sự".into())],
        receipt: Receipt::default(),
    }
}

fn target(url: String, headers: &[(&str, &str)]) -> HttpTarget {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let options = HttpOptions { url, headers, timeout: Duration::from_secs(30), connection: None };
    HttpTarget::new(Client::new(4, Arc::default()), options).unwrap()
}

/// The answer that a target gives for a reply, its address left out.
async fn check(reply: Reply, expected: Expect) {
    let receiver = Receiver::start().unwrap();
    receiver.script("/x", [reply]);
    let answer = target(receiver.url("/x"), &[]).send(&delivery("{}", "application/json")).await;
    expected.assert_eq(&format!("{answer:?}").replace(&receiver.url("/x"), "URL"));
    assert_eq!(receiver.requests().len(), 1, "one attempt is one request");
}

#[tokio::test]
async fn a_delivery_says_what_it_is() {
    let receiver = Receiver::start().unwrap();
    let target =
        target(receiver.url("/orders?a=b"), &[("authorization", "s3cret"), ("user-agent", "mine")]);
    let body = r#"{ "n": 1.10 }"#;
    assert_eq!(target.send(&delivery(body, "application/json")).await, Answer::Accepted);
    let request = receiver.requests().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/orders"));
    assert_eq!(request.query.as_deref(), Some("a=b"));
    assert_eq!(request.body, body.as_bytes());
    for (name, value) in [
        ("content-type", "application/json"),
        ("slipswitch-delivery-id", "shop/7/big-orders/crm/0"),
        ("slipswitch-event-id", "s%E1%BB%B1-ki%E1%BB%87n 1"),
        ("slipswitch-attempt", "3"),
        ("slipswitch-bus", "shop"),
        ("slipswitch-rule", "big-orders"),
        ("slipswitch-target", "crm"),
        ("slipswitch-ordering-key", "k-1"),
        ("slipswitch-attribute-region", "s%E1%BB%B1"),
        ("authorization", "s3cret"),
        ("user-agent", "mine"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn answers_are_final_or_worth_a_retry() {
    check(Reply::status(204), expect!["Accepted"]).await;
    check(
        Reply::status(400).body("no such\norder"),
        expect![[r#"Refused { reason: "POST URL: 400 Bad Request: no such order" }"#]],
    )
    .await;
    check(Reply::status(404), expect![[r#"Refused { reason: "POST URL: 404 Not Found" }"#]]).await;
    check(
        Reply::status(503).header("Retry-After", "17"),
        expect![[
            r#"Unavailable { reason: "POST URL: 503 Service Unavailable", retry_after: Some(For(17s)) }"#
        ]],
    )
    .await;
    for status in [408, 409, 423, 425, 429, 500, 502, 504] {
        let receiver = Receiver::start().unwrap();
        receiver.script("/x", [Reply::status(status)]);
        let answer = target(receiver.url("/x"), &[]).send(&delivery("{}", "a/b")).await;
        assert!(matches!(answer, Answer::Unavailable { .. }), "{status}: {answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver = Receiver::start().unwrap();
    receiver.script("/x", [Reply::status(302).header("Location", &receiver.url("/elsewhere"))]);
    let answer = target(receiver.url("/x"), &[]).send(&delivery("{}", "application/json")).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn nobody_listening_is_worth_a_retry() {
    let receiver = Receiver::start().unwrap();
    let url = receiver.url("/x");
    receiver.stop();
    let answer = target(url, &[]).send(&delivery("{}", "application/json")).await;
    let Answer::Unavailable { reason, retry_after: None } = answer else { panic!("{answer:?}") };
    assert!(reason.contains("Connection refused"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_answers_is_given_up_after_its_timeout() {
    // A listener that nobody accepts from: the kernel takes the request, and silence follows.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let answer = target(url, &[]).send(&delivery("{}", "application/json")).await;
    let Answer::TimedOut { reason } = answer else { panic!("{answer:?}") };
    assert!(reason.ends_with("no answer within 30s"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn an_accepted_delivery_stays_accepted_when_the_body_of_the_answer_stalls() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let stalling = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(connection.read(&mut request).unwrap() > 0);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").unwrap();
        connection
    });
    // No paused clock runs on while the socket is waited for by a thread of its own.
    let connection = tokio::task::spawn_blocking(move || stalling.join());
    let answer = target(url, &[]).send(&delivery("{}", "application/json")).await;
    assert_eq!(answer, Answer::Accepted);
    drop(connection.await.unwrap());
}

#[test]
fn what_is_no_url_or_header_is_refused() {
    let said = |url: &str, headers: &[(&str, &str)]| {
        let options = HttpOptions {
            url: url.into(),
            headers: headers.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect(),
            timeout: Duration::from_secs(1),
            connection: None,
        };
        HttpTarget::new(Client::new(1, Arc::default()), options).err().unwrap().to_string()
    };
    expect!["`localhost:9000/x` is no http or https URL with a host"]
        .assert_eq(&said("localhost:9000/x", &[]));
    expect!["header `a b`: is no header name"].assert_eq(&said("http://a/", &[("a b", "c")]));
    expect!["header `a`: its value has characters that a header cannot carry"]
        .assert_eq(&said("http://a/", &[("a", "c\nd")]));
}

#[tokio::test]
async fn a_log_target_writes_a_line_per_payload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.log");
    std::fs::write(&path, "torn").unwrap();
    let target = LogTarget::file(&path);
    for (body, content_type) in [
        ("{\n  \"n\": 1.10\n}", "application/json"),
        ("two\nlines", "text/plain"),
        ("plain", "text/plain"),
    ] {
        assert_eq!(target.send(&delivery(body, content_type)).await, Answer::Accepted);
    }
    expect![[r#"
        torn
        {   "n": 1.10 }
        two\nlines
        plain
    "#]]
    .assert_eq(&std::fs::read_to_string(&path).unwrap());
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_worth_a_retry() {
    let folder = tempfile::tempdir().unwrap();
    let answer = LogTarget::file(folder.path()).send(&delivery("{}", "application/json")).await;
    let Answer::Unavailable { reason, .. } = answer else { panic!("{answer:?}") };
    assert!(reason.contains("Is a directory"), "{reason}");
}

#[tokio::test]
async fn no_error_shows_what_is_secret_of_a_url() {
    let receiver = Receiver::start().unwrap();
    let url = receiver.url("/x").replace("http://", "http://joe:sesame@") + "?token=TOPSECRET&n=1";
    let echo = "Cannot POST /x?token=TOPSECRET&n=1 for joe:sesame, token TOPSECRET";
    for status in [200, 302, 400, 404, 410, 429, 500, 503] {
        receiver.script("/x", [Reply::status(status).body(echo)]);
    }
    let mut said = String::new();
    let options = |url: &str, timeout| HttpOptions {
        url: url.into(),
        headers: vec![],
        timeout,
        connection: None,
    };
    let target =
        |url: &str, timeout| HttpTarget::new(Client::new(4, Arc::default()), options(url, timeout));
    let patient = target(&url, Duration::from_secs(30)).unwrap();
    for _ in 0..8 {
        let answer = patient.send(&delivery("{}", "application/json")).await;
        writeln!(said, "{answer:?}").unwrap();
    }
    assert_eq!(receiver.requests()[0].query.as_deref(), Some("token=TOPSECRET&n=1"), "it is sent");
    receiver.stop();
    let answer = patient.send(&delivery("{}", "application/json")).await;
    writeln!(said, "{answer:?}").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://joe:sesame@{}/x?token=TOPSECRET", listener.local_addr().unwrap());
    let hasty = target(&silent, Duration::from_millis(1)).unwrap();
    writeln!(said, "{:?}", hasty.send(&delivery("{}", "application/json")).await).unwrap();
    let wrong = target("ftp://joe:sesame@there/x?token=TOPSECRET", Duration::ZERO);
    writeln!(said, "{}", wrong.err().unwrap()).unwrap();
    assert_eq!(said.lines().count(), 11);
    assert!(said.contains("no answer within") && said.contains("`ftp://there/x`"), "{said}");
    for secret in ["joe", "sesame", "TOPSECRET", "token=", "n=1"] {
        assert!(!said.contains(secret), "{secret}:\n{said}");
    }
}
