//! Starting, refusing to start, and stopping.

use std::fs;
use std::future::{pending, ready};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::super::opening::{Opening, Plan};
use super::super::start::first;
use super::super::{DEV_SEGMENT_BYTES, Mode, Running, ServeOptions, configure};
use super::{Config, EVENT, RULE, Scene, config};
use crate::load::Source;

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

    let again =
        scene.runtime.block_on(Running::start(config(scene.dir.path()), Mode::Serve, pending()));
    scene.runtime.block_on(again.unwrap().expect("nobody stopped it").stop());
}

#[test]
fn a_start_that_is_stopped_before_the_rules_are_there_ends_and_may_be_tried_again() {
    let mut scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    scene.stop();
    let start = |stopped: bool| {
        let config = config(scene.dir.path());
        scene.runtime.block_on(async move {
            match stopped {
                true => Running::start(config, Mode::Serve, ready(())).await,
                false => Running::start(config, Mode::Serve, pending()).await,
            }
        })
    };
    assert!(start(true).unwrap().is_none());
    scene.runtime.block_on(start(false).unwrap().expect("nobody stopped it").stop());
}

/// A router whose rules are still loading.
fn opening(dir: &Path, runtime: &tokio::runtime::Runtime) -> (Opening, Source) {
    let plan = Plan::new(config(dir)).unwrap();
    let source = plan.source.clone();
    let opening = runtime.block_on(async {
        let mut opening = plan.open().await.unwrap();
        opening.serve();
        opening
    });
    (opening, source)
}

#[test]
fn events_are_taken_while_the_rules_are_loading_and_delivered_then() {
    let mut scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    scene.stop();
    let delivered = |status: &serde_json::Value| {
        status["router"]["subscriptions"][0]["delivered"].as_u64().unwrap_or(0)
    };
    let (early, _) = opening(scene.dir.path(), &scene.runtime);
    scene.address = early.address;
    assert_eq!(scene.send("POST", "/buses/shop/events", EVENT).status, 202);
    let detail = scene.send("POST", "/buses/perhaps/events", EVENT).problem(503, "not-ready");
    assert!(detail.contains("being loaded"), "{detail}");
    for path in ["/readyz", "/api/v1/status", "/api/v1/replays"] {
        scene.get(path).problem(503, "not-ready");
    }
    assert_eq!((scene.get("/healthz").status, scene.get("/metrics").status), (200, 200));

    // The rules are broken: the next start has what was taken.
    scene.runtime.block_on(early.close());
    assert!(TcpStream::connect(scene.address).is_err());
    let (early, source) = opening(scene.dir.path(), &scene.runtime);
    scene.address = early.address;
    assert_eq!(scene.send("POST", "/buses/shop/events", EVENT).status, 202);
    let first = scene.runtime.block_on(first(source, Mode::Serve)).unwrap();
    scene.running = Some(scene.runtime.block_on(early.begin(first)).unwrap());
    scene.status_until(|status| delivered(status) == 2);
    assert_eq!(scene.get("/readyz").status, 200);
    scene.send("POST", "/buses/perhaps/events", EVENT).problem(404, "unknown-bus");
}

#[test]
fn a_request_that_never_ends_leaves_deliveries_half_of_the_time_to_stop() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", target.local_addr().unwrap());
    let rule = format!(
        "name: all\nbus: shop\npattern: {{ source: [com.shop] }}\ntargets:\n  - id: web\n    http: {{ url: {url:?} }}\n"
    );
    let patient = |config: &mut Config| config.drain = Duration::from_secs(4);
    let mut scene = Scene::start_with(&[("a.yaml", &rule)], Mode::Serve, patient).unwrap();
    assert_eq!(scene.send("POST", "/buses/shop/events", EVENT).status, 202);
    let (mut delivery, _) = target.accept().unwrap();

    let mut endless = TcpStream::connect(scene.address).unwrap();
    let head =
        "POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    endless.write_all(head.as_bytes()).unwrap();
    endless.read_exact(&mut [0; 12]).unwrap(); // `100`: the router waits for the body.
    assert_eq!(
        scene.running.as_ref().unwrap().farewell(),
        "stopping: 1 requests and 1 deliveries under way, at most 4s; a second signal stops at once"
    );
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut rest = Vec::new();
            // Cut off, one way or another; the delivery is answered only then.
            endless.read_to_end(&mut rest).unwrap_or(0);
            delivery.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap_or(());
        });
        scene.stop();
    });

    let again =
        scene.runtime.block_on(Running::start(config(scene.dir.path()), Mode::Serve, pending()));
    let again = again.unwrap().expect("nobody stopped it");
    scene.address = again.address();
    let status = scene.get("/api/v1/status").json();
    scene.runtime.block_on(again.stop());
    assert_eq!(status["router"]["subscriptions"][0]["delivered"], 1, "{status}");
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
fn the_largest_event_that_can_be_configured_is_taken_with_the_smallest_segments() {
    let largest = 3 << 20;
    let large = |config: &mut Config| {
        config.limits.event_bytes = largest;
        config.limits.body_bytes = largest;
    };
    let scene = Scene::start_with(&[], Mode::Serve, large).unwrap();
    let head = r#"{"source":"a","detail-type":"T","detail":{"n":""#;
    let padding = "x".repeat(largest - 1024);
    assert_eq!(scene.send("POST", "/events", format!("{head}{padding}\"}}}}")).status, 202);
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

#[test]
fn the_mark_of_a_running_router_goes_with_a_stop_in_order() {
    let mut scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let mark = scene.dir.path().join("data/running");
    assert!(mark.exists());
    scene.stop();
    assert!(!mark.exists());
}
