//! What goes over the wire.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use proptest::prelude::*;

use super::super::Mode;
use super::{Answer, Config, EVENT, RULE, Scene};

#[test]
fn events_are_taken_one_by_one_as_arrays_and_as_lines() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let one = scene.send("POST", "/events", EVENT);
    assert_eq!(one.status, 202, "{}", one.body);
    assert_eq!(one.json()["accepted"], 1);
    assert_eq!(one.json()["entries"][0]["id"].as_str().unwrap().len(), 36);

    let named = r#"{"id":"e-1","source":"a","detail-type":"T","detail":{}}"#;
    let two = scene.send("POST", "/buses/shop/events", format!("[{named},{EVENT}]"));
    assert_eq!((two.status, &two.json()["entries"][0]["id"]), (202, &"e-1".into()));

    let body = format!("{named}\n{{\"source\":\n\n{EVENT}\n");
    let lines = scene.send_as("POST", "/events", "application/x-ndjson", body);
    let json = lines.json();
    assert_eq!((lines.status, &json["accepted"], &json["refused"]), (202, &2.into(), &1.into()));
    assert!(json["entries"][1]["error"].as_str().unwrap().contains("not JSON"), "{json}");
    assert!(json["entries"][2]["id"].is_string());

    let curl = "application/x-www-form-urlencoded";
    assert_eq!(scene.send_as("POST", "/events", curl, EVENT).status, 202);
}

#[test]
fn a_question_that_cannot_be_meant_is_refused_in_our_own_words() {
    let scene = Scene::start(&[], Mode::Serve);
    let asked = |path: &str| scene.get(path).problem(400, "bad-parameter");
    let backwards = "since=2026-11-23T08:00:00Z&until=2026-11-23T08:00:00Z";
    for listing in ["events", "dead-letters", "dead-letters/count", "dead-letters/export"] {
        let detail = asked(&format!("/api/v1/{listing}?{backwards}"));
        assert!(detail.contains("nothing lies between"), "{detail}");
        assert!(asked(&format!("/api/v1/{listing}?since=soon")).contains("RFC 3339"));
    }
    for listing in ["events", "dead-letters"] {
        let detail = asked(&format!("/api/v1/{listing}?limit=abc"));
        assert!(detail.ends_with("limit: not a whole number"), "{detail}");
    }
    let detail = scene.get("/api/v1/dead-letters/abc").problem(404, "not-found");
    assert_eq!(detail, "there is no dead letter `abc`: they have numbers");
}

#[test]
fn an_event_is_found_by_its_id_in_capitals() {
    let scene = Scene::start(&[], Mode::Serve);
    let taken = scene.send("POST", "/events", EVENT).json();
    let id = taken["entries"][0]["id"].as_str().unwrap().to_owned();
    let found = scene.get(&format!("/api/v1/events/{}", id.to_uppercase()));
    assert_eq!((found.status, &found.json()["id"]), (200, &id.into()));
    assert_eq!(scene.get("/api/v1/events/E-1").status, 404);
}

#[test]
fn what_is_refused_gets_a_problem_with_the_reason() {
    let scene = Scene::start(&[], Mode::Serve);
    let post = |body: &[u8]| scene.send("POST", "/events", body);
    post(b"").problem(400, "no-event");
    post(b"[]").problem(400, "no-event");
    post(br#"{"source":"a","detail"#).problem(400, "malformed-body");
    post(br#"[{"source":"a"},"#).problem(400, "malformed-body");
    post(b"{\"source\":\"\xff\"}").problem(400, "malformed-body");
    post(b"[\"\xff\"]").problem(400, "malformed-body");
    assert!(post(b"{}").problem(400, "event-refused").contains("source"));
    let deep = format!(
        r#"{{"source":"a","detail-type":"T","detail":{}1{}}}"#,
        r#"{"a":"#.repeat(70),
        "}".repeat(70)
    );
    assert!(post(deep.as_bytes()).problem(400, "event-refused").contains("64 levels"));
    let large =
        format!(r#"{{"source":"a","detail-type":"T","detail":{{"a":"{}"}}}}"#, "x".repeat(1 << 20));
    post(large.as_bytes()).problem(413, "event-too-large");
    post(format!("[{}1]", "1,".repeat(10_000)).as_bytes()).problem(413, "too-many-events");

    let all = post(b"[{},1]");
    all.problem(400, "events-refused");
    assert_eq!(all.json()["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn a_body_over_the_limit_is_refused_with_an_answer_that_can_be_read() {
    let small = |config: &mut Config| config.limits.body_bytes = 100_000;
    let scene = Scene::start_with(&[], Mode::Serve, small).unwrap();
    let body = vec![b' '; 3_000_000];
    scene.send("POST", "/events", &body).problem(413, "body-too-large");

    // The same without saying how long it is.
    let mut stream = TcpStream::connect(scene.address).unwrap();
    let head = "POST /events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..3 {
        stream.write_all(format!("{:x}\r\n", 50_000).as_bytes()).unwrap();
        stream.write_all(&vec![b' '; 50_000]).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    Answer::read(&mut stream).problem(413, "body-too-large");
}

#[test]
fn other_media_paths_methods_and_buses_are_problems_too() {
    let scene = Scene::start(&[], Mode::Serve);
    let xml = scene.send_as("POST", "/events", "application/xml", EVENT);
    assert!(xml.problem(415, "unsupported-media-type").contains("application/xml"));
    scene.get("/nowhere").problem(404, "not-found");
    scene.get("/events/").problem(404, "not-found");
    let get = scene.get("/events");
    get.problem(405, "method-not-allowed");
    assert!(get.head.to_lowercase().contains("allow: post"), "{}", get.head);
    scene.send("DELETE", "/api/v1/replays", "").problem(405, "method-not-allowed");

    let unknown = scene.send("POST", "/buses/shpo/events", EVENT);
    assert!(unknown.problem(404, "unknown-bus").contains("did you mean `shop`?"));
    scene.send("POST", "/buses/%ff/events", EVENT).problem(404, "not-found");
    let long = format!("/buses/{}/events", "x".repeat(10_000));
    assert!(scene.send("POST", &long, EVENT).problem(404, "unknown-bus").len() < 1000);
    scene.send("POST", "/buses/a%2Fb/events", EVENT).problem(404, "unknown-bus");
}

#[test]
fn probes_and_the_first_page_answer() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    assert_eq!(scene.get("/healthz").body, r#"{"status":"ok"}"#);
    assert_eq!(scene.get("/readyz").status, 200);
    assert!(scene.get("/").body.starts_with("slipswitch "));

    scene.send("POST", "/events", EVENT);
    scene.send("POST", "/events", "");
    let metrics = scene.get("/metrics");
    assert!(metrics.head.contains("application/openmetrics-text"), "{}", metrics.head);
    for line in [
        "slipswitch_events_accepted_total{bus=\"default\"} 1\n",
        "slipswitch_requests_refused_total{reason=\"no-event\"} 1\n",
        "slipswitch_ingest_seconds_count 2\n",
        "slipswitch_config_generation 1\n",
        "slipswitch_config_last_reload_successful 1\n",
        "slipswitch_journal_writable 1\n",
        "slipswitch_journal_records_total 1\n",
        "slipswitch_journal_sync_seconds_count 1\n",
        "slipswitch_journal_sync_seconds_bucket{le=\"+Inf\"} 1\n",
        "slipswitch_subscription_delivered_total{bus=\"shop\",rule=\"all\",target=\"file\",replay=\"\"} 0\n",
        "slipswitch_config_reloads_total{result=\"rejected\"} 0\n",
        "slipswitch_build_info{version=",
        "# EOF\n",
    ] {
        assert!(metrics.body.contains(line), "{line} is missing from\n{}", metrics.body);
    }
}

#[test]
fn the_api_refuses_what_it_does_not_understand() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let letters = scene.get("/api/v1/dead-letters?limit=5&bus=shop");
    assert_eq!(letters.json(), serde_json::json!({ "items": [], "next": null }));
    for (query, says) in [
        ("limit=0", "1 to 1000"),
        ("limit=1001", "1 to 1000"),
        ("limit=many", "limit"),
        ("before=x", "before"),
        ("buss=shop", "did you mean `bus`?"),
        ("kind=rufesed", "refused, unavailable"),
        ("state=gone", "`history`"),
        ("since=yesterday", "since"),
        ("pattern=%7B%22a%22%3A1%7D", "`pattern`, at byte"),
    ] {
        let letters = scene.get(&format!("/api/v1/dead-letters?{query}"));
        let detail = letters.problem(400, "bad-parameter");
        assert!(detail.contains(says), "{query}: {detail}");
    }
    for (query, kind, says) in [
        ("rule=al", "unknown-rule", "did you mean `all`?"),
        ("target=fil", "unknown-rule", "did you mean `file`?"),
        ("bus=shpo", "unknown-bus", "did you mean `shop`?"),
    ] {
        let detail = scene.get(&format!("/api/v1/dead-letters/count?{query}")).problem(404, kind);
        assert!(detail.contains(says), "{query}: {detail}");
    }
    scene.get("/api/v1/dead-letters/count?group_by=colour").problem(400, "bad-parameter");
    assert_eq!(scene.get("/api/v1/dead-letters/count").json()["letters"], 0);
    scene.get("/api/v1/dead-letters/17").problem(404, "not-found");
    scene.get("/api/v1/dead-letters/x").problem(404, "not-found");
    assert_eq!(scene.get("/api/v1/dead-letters/export?rule=all").body, "0\r\n\r\n");
    let redrive = "/api/v1/dead-letters/redrive";
    scene.send("POST", redrive, "").problem(400, "malformed-body");
    scene.send("POST", redrive, "{}").problem(400, "bad-request");
    scene.send("POST", redrive, r#"{"al":true}"#).problem(400, "bad-request");
    for body in [
        r#"{"rule":"all"}"#,
        r#"{"all":false}"#,
        r#"{"ids":[1],"all":true}"#,
        r#"{"ids":[1],"rule":"all"}"#,
        r#"{"all":true,"to":"moon"}"#,
        r#"{"all":true,"rules":["all"]}"#,
        r#"{"all":true,"pattern":{"a":1}}"#,
    ] {
        scene.send("POST", redrive, body).problem(400, "bad-request");
    }
    let unknown = r#"{"all":true,"to":"rules","rules":["al"]}"#;
    assert!(scene.send("POST", redrive, unknown).problem(404, "unknown-rule").contains("`all`"));
    let none = scene.send("POST", redrive, r#"{"all":true,"pattern":{"source":["a"]}}"#).json();
    let nothing = serde_json::json!({
        "redriven": 0, "queued": 0, "refused_total": 0, "refused": []
    });
    assert_eq!(none, nothing);
    let rehearsed = scene.send("POST", redrive, r#"{"all":true,"dry_run":true}"#).json();
    assert_eq!(rehearsed, serde_json::json!({ "dry_run": true, "letters": 0, "groups": [] }));
    let purge = "/api/v1/dead-letters/purge";
    scene.send("POST", purge, r#"{"all":true,"to":"rules"}"#).problem(400, "bad-request");
    let purged = scene.send("POST", purge, r#"{"ids":[1]}"#).json();
    assert_eq!(purged, serde_json::json!({ "purged": 0, "left": 1 }));
}

#[test]
fn a_replay_that_is_not_understood_is_not_started() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    assert_eq!(scene.get("/api/v1/replays").json(), serde_json::json!([]));
    let replay = |body: &str| scene.send("POST", "/api/v1/replays", body);
    replay("{}").problem(400, "bad-request");
    replay(r#"{"since":"yesterday"}"#).problem(400, "bad-request");
    replay(r#"{"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}"#)
        .problem(400, "bad-request");
    replay(r#"{"bus":"shpo","since":"2026-01-02T00:00:00Z"}"#).problem(404, "unknown-bus");
    for (more, status, kind) in [
        (r#""archive":"none""#, 404, "not-found"),
        (r#""targets":["all/fil"]"#, 404, "unknown-rule"),
        (r#""pattern":{"a":1}"#, 400, "bad-request"),
        (r#""rate":0"#, 400, "bad-request"),
        (r#""concurrency":0"#, 400, "bad-request"),
    ] {
        let body = format!(r#"{{"bus":"shop","since":"2026-01-02T00:00:00Z",{more}}}"#);
        replay(&body).problem(status, kind);
    }
    for verb in ["pause", "resume", "cancel"] {
        let path = format!("/api/v1/replays/none/{verb}");
        scene.send("POST", &path, "").problem(404, "not-found");
    }
    scene.get("/api/v1/replays/none").problem(404, "not-found");
    let dry = "/api/v1/replays?dry_run=true";
    let body = r#"{"bus":"shop","since":"2026-01-02T00:00:00Z"}"#;
    let estimate = scene.send("POST", dry, body).json();
    assert_eq!((&estimate["exact"], &estimate["events"]), (&true.into(), &0.into()), "{estimate}");
    assert_eq!(scene.get("/api/v1/replays").json(), serde_json::json!([]), "nothing was started");
}

#[test]
fn a_replay_for_what_is_on_another_bus_or_misspelt_says_so() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    for (more, says) in [
        (r#""rules":["all"]"#, "rule `all` on bus `default`; bus `shop` has it"),
        (r#""targets":["all/file"]"#, "target `all/file` on bus `default`; bus `shop` has it"),
        (r#""bus":"shop","targets":["all/flie"]"#, "did you mean `all/file`?"),
    ] {
        let body = format!(r#"{{"since":"2026-01-02T00:00:00Z",{more}}}"#);
        let detail = scene.send("POST", "/api/v1/replays", body).problem(404, "unknown-rule");
        assert!(detail.contains(says), "{detail}");
    }
}

#[test]
fn only_a_replay_that_has_ended_is_removed() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    scene.send("POST", "/buses/shop/events", EVENT);
    let body = r#"{"bus":"shop","since":"2026-01-02T00:00:00Z","name":"NAME","rate":0.001}"#;
    scene.send("POST", "/api/v1/replays", body.replace("NAME", "..")).problem(400, "bad-request");
    scene.send("POST", "/buses/shop/events", EVENT);
    let path = "/api/v1/replays/once";
    let made = scene.send("POST", "/api/v1/replays", body.replace("NAME", "once"));
    assert_eq!(made.status, 201, "{}", made.body);
    let detail = scene.send("DELETE", path, "").problem(409, "conflict");
    assert!(detail.contains("running"), "{detail}");
    assert_eq!(scene.send("POST", &format!("{path}/cancel"), "").status, 200);
    assert_eq!(scene.send("DELETE", path, "").status, 204);
    scene.send("DELETE", path, "").problem(404, "not-found");
}

#[test]
fn an_archive_is_made_looked_at_changed_and_removed() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let path = "/api/v1/archives";
    let create = |body: &str| scene.send("POST", path, body);
    let made = create(r#"{"name":"n","bus":"shop","pattern":{"source":["com.shop"]}}"#);
    assert_eq!((made.status, &made.json()["event_count"]), (201, &0.into()), "{}", made.body);
    scene.send("POST", "/buses/shop/events", format!("[{EVENT},{EVENT}]"));
    scene.send("POST", "/events", EVENT);
    let other = EVENT.replace("com.shop", "com.other");
    scene.send("POST", "/buses/shop/events", other);
    let one = scene.get("/api/v1/archives/n").json();
    assert_eq!((&one["event_count"], &one["exact"]), (&2.into(), &true.into()), "{one}");
    assert_eq!((&one["state"], &one["retention_days"]), (&"enabled".into(), &0.into()));
    assert!(one["size_bytes"].as_u64().unwrap() > 100 && one["newest"].is_string(), "{one}");

    let change = |body: &str| scene.send("PATCH", "/api/v1/archives/n", body);
    let changed = change(r#"{"retention_days":7,"pattern":null,"description":"d"}"#).json();
    assert_eq!((&changed["retention_days"], &changed["description"]), (&7.into(), &"d".into()));
    assert!(changed["pattern"].is_null());
    change(r#"{"days":7}"#).problem(400, "bad-request");
    change(r#"{"pattern":{"a":1}}"#).problem(400, "bad-request");
    create(r#"{"name":"n"}"#).problem(409, "conflict");
    create(r#"{"name":"a/b"}"#).problem(400, "bad-request");
    create(r#"{"name":"m","bus":"shpo"}"#).problem(404, "unknown-bus");
    scene.get("/api/v1/archives/m").problem(404, "not-found");
    assert_eq!(scene.get(path).json().as_array().unwrap().len(), 1);
    assert_eq!(scene.send("DELETE", "/api/v1/archives/n", "").status, 204);
    scene.send("DELETE", "/api/v1/archives/n", "").problem(404, "not-found");
}

#[test]
fn a_body_that_ends_early_is_taken_for_nothing() {
    let scene = Scene::start(&[], Mode::Serve);
    let mut stream = TcpStream::connect(scene.address).unwrap();
    let head = "POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10000\r\n\r\n";
    stream.write_all(format!("{head}{EVENT}\n").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400"), "{rest}");
    assert!(!scene.get("/metrics").body.contains("slipswitch_events_accepted_total{"));
}

#[test]
fn a_connection_that_sends_its_headers_too_slowly_is_closed() {
    let hasty = |config: &mut Config| config.http.header = Duration::from_millis(20);
    let scene = Scene::start_with(&[], Mode::Serve, hasty).unwrap();
    let mut stream = TcpStream::connect(scene.address).unwrap();
    stream.write_all(b"POST /events HTTP/1.1\r\nhos").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("202"), "{rest}");
}

#[test]
fn a_connection_that_idles_too_long_is_closed() {
    let hasty = |config: &mut Config| config.http.header = Duration::from_millis(20);
    let scene = Scene::start_with(&[], Mode::Serve, hasty).unwrap();
    let mut stream = TcpStream::connect(scene.address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK"), "{rest}");
}

#[test]
fn a_body_that_comes_too_slowly_is_given_up() {
    let hasty = |config: &mut Config| config.http.body = Duration::from_millis(20);
    let scene = Scene::start_with(&[], Mode::Serve, hasty).unwrap();
    let mut stream = TcpStream::connect(scene.address).unwrap();
    let head = "POST /events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("/problems/body-too-slow"), "{rest}");
}

#[test]
fn any_bytes_as_a_body_get_an_answer() {
    let scene = Scene::start(&[], Mode::Serve);
    let piece = prop_oneof![
        Just(EVENT.as_bytes().to_vec()),
        prop::sample::select(b"[]{}\",:\n\\ 1e".to_vec()).prop_map(|byte| vec![byte]),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    let bodies = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    proptest!(ProptestConfig::with_cases(200), |(body in bodies, lines in any::<bool>())| {
        let media = if lines { "application/x-ndjson" } else { "application/json" };
        let answer = scene.send_as("POST", "/events", media, &body);
        prop_assert!(matches!(answer.status, 202 | 400 | 413), "{}", answer.status);
        prop_assert!(answer.json().is_object());
    });
    assert_eq!(scene.send("POST", "/events", EVENT).status, 202);
}
