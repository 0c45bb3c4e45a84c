//! A whole router over real sockets, on a folder of its own.

mod data_folder;
mod life;
mod reload;
mod requests;

use std::fs;
use std::future::pending;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::*;

const RULE: &str = "name: all\nbus: shop\npattern: { source: [{ prefix: com. }] }\ntargets:\n  - id: file\n    log: { file: OUT }\n";
const EVENT: &str = r#"{"source":"com.shop","detail-type":"T","detail":{"n":1.10}}"#;

/// Longer than anything takes on a loaded machine: only what hangs meets it.
const LONG: Duration = Duration::from_secs(60);

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
        let running = runtime.block_on(Running::start(config, mode, pending()))?;
        let running = running.expect("nobody stopped it");
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

    /// Asks for the status until it is as wanted.
    #[expect(clippy::disallowed_methods, reason = "a limit on waiting, outside of the product")]
    fn status_until(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let started = std::time::Instant::now();
        loop {
            let status = self.get("/api/v1/status").json();
            if wanted(&status) {
                return status;
            }
            assert!(started.elapsed() < LONG, "the status stays {status:#}");
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
        journal: config::Journal { segment_bytes: 16 << 20, ..Config::default().journal },
        reload: config::Reload {
            poll: Duration::from_millis(50),
            debounce: Duration::from_millis(5),
            tests: config::Tests::Enforced,
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
