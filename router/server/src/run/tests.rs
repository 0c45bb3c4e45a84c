//! A whole router over real sockets, on a folder of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const RULE: &str = "name: all\nbus: shop\npattern: { source: [{ prefix: com. }] }\ntargets:\n  - id: file\n    log: { file: OUT }\n";
const EVENT: &str = r#"{"source":"com.shop","detail-type":"T","detail":{"n":1.10}}"#;

struct Scene {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    running: Option<Running>,
    address: SocketAddr,
}

impl Scene {
    fn start(rules: &[(&str, &str)], mode: Mode) -> Self {
        Self::start_with(rules, mode, |_| ()).unwrap()
    }

    fn start_with(
        rules: &[(&str, &str)],
        mode: Mode,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, RunError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("rules")).unwrap();
        fs::create_dir(dir.path().join("plugins")).unwrap();
        for (name, text) in rules {
            write_rule(dir.path(), name, text);
        }
        let mut config = config(dir.path());
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let running = runtime.block_on(Running::start(config, mode))?;
        let address = running.address();
        Ok(Self { dir, runtime, running: Some(running), address })
    }

    fn write_rule(&self, name: &str, text: &str) {
        write_rule(self.dir.path(), name, text);
    }

    fn send(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send_as(method, path, "application/json", body)
    }

    fn send_as(&self, method: &str, path: &str, media: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        Answer::read(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    /// Asks for the status until it is as wanted; a test that waits in vain is ended by its runner.
    fn status_until(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        loop {
            let status = self.get("/api/v1/status").json();
            if wanted(&status) {
                return status;
            }
            std::thread::yield_now();
        }
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop();
    }
}

fn write_rule(dir: &Path, name: &str, text: &str) {
    let out = dir.join("out.jsonl").display().to_string();
    fs::write(dir.join("rules").join(name), text.replace("OUT", &out)).unwrap();
}

fn config(dir: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".to_owned(),
        data_dir: dir.join("data"),
        rules_dir: dir.join("rules"),
        plugins_dir: dir.join("plugins"),
        buses: vec!["default".to_owned(), "shop".to_owned()],
        journal: config::Journal { segment_bytes: 16 << 20 },
        reload: config::Reload {
            poll: Duration::from_millis(50),
            debounce: Duration::from_millis(5),
        },
        ..Config::default()
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Asserts that this is a problem document of a kind, and returns its detail.
    #[track_caller]
    fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let json = self.json();
        assert_eq!(json["type"], format!("/problems/{kind}"), "{json}");
        assert_eq!(json["status"], status);
        json["detail"].as_str().unwrap().to_owned()
    }
}

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
        "slipswitch_reload_generation 1\n",
        "slipswitch_reload_last_succeeded 1\n",
        "slipswitch_journal_writable 1\n",
        "slipswitch_journal_records_total 1\n",
        "slipswitch_journal_sync_seconds_count 1\n",
        "slipswitch_journal_sync_seconds_bucket{le=\"+Inf\"} 1\n",
        "slipswitch_subscription_delivered_total{bus=\"shop\",rule=\"all\",target=\"file\",replay=\"\"} 0\n",
        "slipswitch_reloads_total{result=\"rejected\"} 0\n",
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
    for query in ["limit=0", "limit=1001", "limit=many", "before=x", "buss=shop"] {
        scene.get(&format!("/api/v1/dead-letters?{query}")).problem(400, "bad-parameter");
    }
    let redrive = "/api/v1/dead-letters/redrive";
    scene.send("POST", redrive, "").problem(400, "malformed-body");
    scene.send("POST", redrive, "{}").problem(400, "bad-request");
    scene.send("POST", redrive, r#"{"al":true}"#).problem(400, "bad-request");
    let none = scene.send("POST", redrive, r#"{"all":true}"#).json();
    assert_eq!(none, serde_json::json!({ "redriven": 0, "refused": [] }));

    assert_eq!(scene.get("/api/v1/replays").json(), serde_json::json!([]));
    let replay = |body: &str| scene.send("POST", "/api/v1/replays", body);
    replay("{}").problem(400, "bad-request");
    replay(r#"{"since":"yesterday"}"#).problem(400, "bad-request");
    replay(r#"{"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}"#)
        .problem(400, "bad-request");
    replay(r#"{"bus":"shpo","since":"2026-01-02T00:00:00Z"}"#).problem(404, "unknown-bus");
}

#[test]
fn serve_refuses_broken_rules_and_missing_folders_with_78() {
    let broken =
        Scene::start_with(&[("bad.yaml", "nmae: x\n")], Mode::Serve, |_| ()).err().unwrap();
    assert_eq!(broken.exit_code(), 78);
    assert!(broken.to_string().contains("bad.yaml"), "{broken}");

    let elsewhere = |config: &mut Config| config.rules_dir = "/nowhere/rules".into();
    let missing = Scene::start_with(&[], Mode::Serve, elsewhere).err().unwrap();
    assert_eq!(missing.exit_code(), 78);
    assert!(missing.to_string().contains("/nowhere/rules"), "{missing}");
}

#[test]
fn a_data_folder_that_is_none_or_is_taken_is_told_with_the_mend() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let none = |config: &mut Config| config.data_dir = file.path().to_owned();
    let error = Scene::start_with(&[], Mode::Serve, none).err().unwrap();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("--data"), "{error}");

    let scene = Scene::start(&[], Mode::Serve);
    let same = |config: &mut Config| config.data_dir = scene.dir.path().join("data");
    let error = Scene::start_with(&[], Mode::Serve, same).err().unwrap();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("another process"), "{error}");
}

#[test]
fn a_port_in_use_is_told_with_the_mend() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let same = |config: &mut Config| config.listen.clone_from(&address);
    let error = Scene::start_with(&[], Mode::Serve, same).err().unwrap();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.to_string().contains(&address) && error.to_string().contains("--listen"),
        "{error}"
    );

    let nowhere = |config: &mut Config| config.listen = "no-such-host.invalid:1".to_owned();
    assert_eq!(Scene::start_with(&[], Mode::Serve, nowhere).err().unwrap().exit_code(), 78);
}

#[test]
fn dev_waits_for_the_mend() {
    let scene = Scene::start(&[("a.yaml", "nmae: x\n")], Mode::Dev);
    let status = scene.get("/api/v1/status").json();
    assert_eq!(
        (&status["generation"]["number"], &status["generation"]["rules"]),
        (&1.into(), &0.into())
    );
    assert!(status["last_error"]["rendered"].as_str().unwrap().contains("a.yaml"), "{status}");
    assert!(scene.get("/metrics").body.contains("slipswitch_reload_last_succeeded 0\n"));
    assert_eq!(scene.send("POST", "/events", EVENT).status, 202);

    scene.write_rule("a.yaml", RULE);
    let status = scene.status_until(|status| status["last_error"].is_null());
    assert_eq!(
        (&status["generation"]["number"], &status["generation"]["rules"]),
        (&2.into(), &1.into())
    );
    let rules = scene.get("/api/v1/rules").json();
    assert_eq!(rules[0]["name"], "all");
    assert_eq!(rules[0]["targets"][0]["kind"], "log");
}

#[test]
fn broken_rules_leave_the_old_ones_running() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    scene.write_rule("b.yaml", "name: [\n");
    let status = scene.status_until(|status| !status["last_error"].is_null());
    assert_eq!(status["generation"]["number"], 1);
    assert!(status["last_error"]["diagnostics"][0]["path"].as_str().unwrap().ends_with("b.yaml"));

    scene.write_rule("b.yaml", &RULE.replace("all", "second"));
    let status = scene.status_until(|status| status["generation"]["number"] == 2);
    assert_eq!(
        (&status["generation"]["rules"], &status["last_error"]),
        (&2.into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_rotated_secret_is_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "one").unwrap();
    let http = format!(
        "http: {{ url: 'http://127.0.0.1:9/', headers: {{ authorization: '${{file:{}}}' }} }}",
        secret.display()
    );
    let rule = RULE.replace("log: { file: OUT }", &http);
    let scene = Scene::start(&[("a.yaml", &rule)], Mode::Serve);
    fs::write(&secret, "two").unwrap();
    scene.status_until(|status| status["generation"]["number"] == 2);
    let rules = scene.get("/api/v1/rules").body;
    assert!(rules.contains("http://127.0.0.1:9/") && !rules.contains("two"), "{rules}");

    fs::remove_file(&secret).unwrap();
    scene.status_until(|status| !status["last_error"].is_null());
    fs::write(&secret, "two").unwrap();
    scene.status_until(|status| status["last_error"].is_null());
}

#[test]
fn a_folder_that_vanishes_is_an_error_and_its_return_a_reload() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let (rules, aside) = (scene.dir.path().join("rules"), scene.dir.path().join("aside"));
    fs::rename(&rules, &aside).unwrap();
    let status = scene.status_until(|status| !status["last_error"].is_null());
    assert!(status["last_error"]["message"].as_str().unwrap().contains("rules"), "{status}");
    assert_eq!(status["generation"]["rules"], 1);
    fs::rename(&aside, &rules).unwrap();
    scene.status_until(|status| status["last_error"].is_null());
    scene.write_rule("b.yaml", &RULE.replace("all", "second"));
    scene.status_until(|status| status["generation"]["rules"] == 2);
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
fn stopping_ends_idle_connections_and_gives_the_data_folder_free() {
    let mut scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    assert_eq!(scene.send("POST", "/buses/shop/events", EVENT).status, 202);
    let mut idle = TcpStream::connect(scene.address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut some = [0; 15];
    idle.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"HTTP/1.1 200 OK");

    scene.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(TcpStream::connect(scene.address).is_err());

    let again = scene.runtime.block_on(Running::start(config(scene.dir.path()), Mode::Serve));
    scene.runtime.block_on(again.unwrap().stop());
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

#[test]
fn the_command_line_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.yaml");
    fs::write(&file, "listen: 127.0.0.1:1\nrules_dir: r\ndata_dir: d").unwrap();
    let options = ServeOptions {
        config: Some(file.clone()),
        listen: Some("127.0.0.1:2".to_owned()),
        data: Some("x".into()),
        ..ServeOptions::default()
    };
    let config = configure(options).unwrap();
    assert_eq!(config.listen, "127.0.0.1:2");
    assert_eq!(config.data_dir, Path::new("x"));
    assert_eq!(config.rules_dir, dir.path().join("r"));
    assert_eq!(config.journal.segment_bytes, 64 << 20);

    let options = ServeOptions { config: Some(file), mode: Mode::Dev, ..ServeOptions::default() };
    assert_eq!(configure(options).unwrap().journal.segment_bytes, DEV_SEGMENT_BYTES);
}

#[test]
fn a_wrong_flag_or_file_is_bad_configuration() {
    let listen =
        |text: &str| ServeOptions { listen: Some(text.to_owned()), ..ServeOptions::default() };
    let error = configure(listen("4587")).unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().starts_with("--listen: `4587` has no port; write host"), "{error}");

    let named = ServeOptions { config: Some("/nowhere.yaml".into()), ..ServeOptions::default() };
    assert_eq!(configure(named).unwrap_err().exit_code(), 78);
}
