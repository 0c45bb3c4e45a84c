//! Events as they come, over HTTP: in order, each once, over kills; and readers who ask wrongly, or take nothing.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Scene, Stream};

const RULE: &str = "\
name: big
bus: shop
pattern: { source: [a], detail: { n: [{ numeric: ['>=', 1000] }] } }
targets: [{ id: out, log: {} }, { id: more, log: {} }]
";
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

fn event(id: &str, n: usize) -> String {
    format!(
        "{{\"id\":\"{id}\",\"source\":\"a\",\"detail-type\":\"T\",\"detail\":{{ \"n\": {n},\n\"x\":1.10}}}}"
    )
}

fn scene() -> Scene {
    let scene = Scene::new().configured("buses: [default, shop]\n");
    scene.write("rules/big.yaml", RULE);
    scene
}

fn id(event: &Value) -> &str {
    event["event"]["id"].as_str().unwrap()
}

#[test]
fn events_of_many_senders_come_in_order_each_once_with_what_they_match() {
    let scene = scene();
    let router = scene.serve();
    let shop = Stream::open(router.address(), "/buses/shop/stream", None);
    let all = Stream::open(router.address(), "/stream?matched=false", None);
    shop.wait_for("id: -1");
    all.wait_for("id: -1");
    thread::scope(|scope| {
        for sender in 0..4_usize {
            let router = &router;
            scope.spawn(move || {
                let mut connection = router.connect();
                for batch in 0..20 {
                    let path = if sender == 3 { "/events" } else { "/buses/shop/events" };
                    let events: Vec<String> = (0..50)
                        .map(|at| event(&format!("{sender}-{batch}-{at}"), batch * 50 + at + 500))
                        .collect();
                    let body = format!("[{}]", events.join(","));
                    connection.post(path, "application/json", body.as_bytes()).unwrap().ids();
                }
            });
        }
    });
    router.send_to("shop", &event("last", 0)).ids();
    let (shop, all) = (shop.events_until("last"), all.events_until("last"));

    for (events, count) in [(&shop, 3001), (&all, 4001)] {
        let offsets: Vec<u64> = events.iter().map(|one| one["offset"].as_u64().unwrap()).collect();
        assert!(offsets.is_sorted_by(|one, next| one < next));
        let ids: BTreeSet<&str> = events.iter().map(id).collect();
        assert_eq!((events.len(), ids.len()), (count, count));
    }
    assert!(shop.iter().all(|one| one["bus"] == "shop"));
    assert!(all.iter().all(|one| one.get("matched").is_none()));
    for one in &shop {
        let matches = 1000 <= one["event"]["detail"]["n"].as_u64().unwrap();
        let targets = serde_json::json!([{ "rule": "big", "targets": ["out", "more"] }]);
        let expected = if matches { targets } else { serde_json::json!([]) };
        assert_eq!(one["matched"], expected, "{one}");
    }
    let raw = Stream::open(router.address(), "/stream?after=-1", None);
    raw.wait_for("\"x\":1.10}");
    router.stop().expect(0);
}

#[test]
fn a_reader_goes_on_where_it_was_when_the_router_was_killed() {
    let scene = scene();
    let mut router = scene.serve();
    let mut stream = Stream::open(router.address(), "/buses/shop/stream", None);
    stream.wait_for("id: -1");
    let mut seen = Vec::new();
    for round in 0..4 {
        for at in 0..100 {
            router.send_to("shop", &event(&format!("{round}-{at}"), at)).ids();
        }
        // In the middle of what is there to read; the rest waits in the journal.
        seen.extend(stream.events_until(&format!("{round}-{}", 20 + round * 10)));
        let last = seen.last().unwrap()["offset"].as_u64().unwrap();
        router.process.kill();
        router = scene.serve();
        // What it had read and not shown yet is gone with the connection.
        let place = last.to_string();
        stream = Stream::open(router.address(), "/buses/shop/stream", Some(&place));
    }
    router.send_to("shop", &event("last", 0)).ids();
    seen.extend(stream.events_until("last"));
    let expected: Vec<String> = (0..4)
        .flat_map(|round| (0..100).map(move |at| format!("{round}-{at}")))
        .chain(["last".to_owned()])
        .collect();
    let ids: Vec<&str> = seen.iter().map(id).collect();
    assert_eq!(ids, expected);
    router.stop().expect(0);
}

#[test]
fn a_pattern_and_a_time_choose() {
    let scene = scene();
    let router = scene.serve();
    let events: Vec<String> = (0..500).map(|n| event(&format!("e-{n}"), n)).collect();
    router.send_to("shop", &format!("[{}]", events.join(","))).ids();
    let pattern = "%7B%22detail%22%3A%7B%22n%22%3A%5B7%2C450%5D%7D%7D"; // {"detail":{"n":[7,450]}}
    let path = format!("/buses/shop/stream?since=2020-01-01T00:00:00Z&pattern={pattern}");
    let chosen = Stream::open(router.address(), &path, None).events_until("e-450");
    assert_eq!(chosen.iter().map(id).collect::<Vec<_>>(), ["e-7", "e-450"]);
    let path = "/buses/shop/stream?since=2999-01-01T00:00:00Z";
    let later = Stream::open(router.address(), path, None);
    later.wait_for("id: 499");
    router.send_to("shop", &event("last", 0)).ids();
    assert_eq!(later.events_until("last").len(), 1);
    router.stop().expect(0);
}

#[test]
fn a_wrong_question_is_a_problem_with_its_place() {
    let scene = Scene::new().configured("http: { streams: 1 }\n");
    let router = scene.serve();
    for (path, status, kind, says) in [
        ("/buses/shpo/stream", 404, "unknown-bus", "`shpo`"),
        ("/stream?pattern=%7B%22a%22%3A1%7D", 400, "bad-parameter", "byte 5"),
        ("/stream?after=x", 400, "bad-parameter", "`x` is no offset"),
        ("/stream?after=7", 400, "bad-parameter", "offset 7 is not in this journal"),
        ("/stream?since=soon", 400, "bad-parameter", "`since`"),
        ("/stream?patern=1", 400, "bad-parameter", "patern"),
    ] {
        let (found, slug, detail) = router.get(path).problem();
        assert_eq!((found, slug.as_str()), (status, kind), "{path}");
        assert!(detail.contains(says), "{path}: {detail}");
    }
    let open = Stream::open(router.address(), "/stream", None);
    open.wait_for("id: -1");
    let (status, kind, detail) = router.get("/stream").problem();
    assert_eq!((status, kind.as_str()), (503, "overloaded"));
    assert!(detail.contains("1 streams are open") && detail.contains("http.streams"), "{detail}");
    router.stop().expect(0);
}

#[test]
fn a_stop_ends_streams_with_a_word_and_does_not_wait_for_who_takes_nothing() {
    let scene = scene();
    let router = scene.serve();
    let padding = "x".repeat(1 << 19);
    for _ in 0..40 {
        let body = format!(r#"{{"source":"a","detail-type":"T","detail":{{"p":"{padding}"}}}}"#);
        router.send(&body).ids();
    }
    let mut deaf = router.connect();
    deaf.raw(b"GET /stream?after=-1 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    assert_eq!(deaf.answer().unwrap().status, 200);
    let idle = Stream::open(router.address(), "/buses/shop/stream", None);
    idle.wait_for("id: ");
    let ended = router.stop().expect(0);
    assert!(!ended.err.contains("did not end in time"), "{}", ended.err);
    idle.wait_for("\"reason\":\"stopping\"");
    assert!(idle.has_ended());
}

#[test]
fn a_reader_that_takes_nothing_loses_its_seat() {
    let scene = Scene::new().configured("http: { streams: 1, stream_stalled_seconds: 1 }\n");
    let router = scene.serve();
    let padding = "x".repeat(1 << 19);
    for _ in 0..40 {
        let body = format!(r#"{{"source":"a","detail-type":"T","detail":{{"p":"{padding}"}}}}"#);
        router.send(&body).ids();
    }
    let mut deaf = router.connect();
    deaf.raw(b"GET /stream?after=-1 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    assert_eq!(deaf.answer().unwrap().status, 200);
    // Others are served meanwhile, and the seat is free after a while.
    let mut looks = 0;
    while router.get("/stream").status == 503 {
        looks += 1;
        assert!(looks < 4_500, "its seat stays taken");
        router.process.err.wait_for_more(BETWEEN_LOOKS);
    }
    assert!(0 < looks, "the one seat was taken");
    router.stop().expect(0);
}
