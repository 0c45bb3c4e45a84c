//! The shape of `slipswitch.yaml` and the way from it to a [`Config`].
//!
//! All problems are reported together: what the reader cannot take (`mend.rs`), and values that have the right type and
//! are out of bounds.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::buses::Buses;
use super::connections::{SECRET_MEND, Tree};
use super::diagnose::{at, nearest, place};
use super::egress;
use super::mend::{self, Read};
use super::values::{Age, Size};
use super::{Config, LogFormat};
use crate::plugins::token::TokenPlace;
use bus::ruleset::Diagnostic;

const MS: RangeInclusive<u64> = 1..=600_000;
const SECONDS: RangeInclusive<u64> = 1..=3_600;
/// A record may take twice the bytes of its event, and must fit into one group of the journal.
const EVENT_BYTES: RangeInclusive<u64> = 1024..=3 << 20;
/// A segment holds at least one group of the journal, and is written in pages.
const SEGMENT_BYTES: RangeInclusive<u64> = 16 << 20..=1 << 30;
const PAGE: u64 = 4096;
const DEDUPLICATION_WINDOW: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
const DELIVERY_LOG_AGE: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(3_650 * 86_400);
const SEAL_AFTER: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
const REMOVED_KEPT: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<Spanned<String>>,
    data_dir: Option<Spanned<String>>,
    rules_dir: Option<Spanned<String>>,
    plugins_dir: Option<Spanned<String>>,
    buses: Option<Spanned<Buses>>,
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    deduplication: Option<Deduplication>,
    delivery_log: Option<DeliveryLog>,
    limits: Option<Limits>,
    http: Option<Http>,
    delivery: Option<Delivery>,
    journal: Option<Journal>,
    dead_letters: Option<DeadLetters>,
    plugin: Option<Plugin>,
    reload: Option<Reload>,
    egress: Option<egress::Section>,
    shutdown: Option<Shutdown>,
    log: Option<Log>,
    connections: Option<Spanned<Tree>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Deduplication {
    window: Option<Spanned<Age>>,
    keys_max: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DeliveryLog {
    age: Option<Spanned<Age>>,
    bytes: Option<Spanned<Size>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    event_bytes: Option<Spanned<Size>>,
    depth: Option<Spanned<u64>>,
    body_bytes: Option<Spanned<Size>>,
    body_events: Option<Spanned<u64>>,
    bodies_bytes: Option<Spanned<Size>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    connections: Option<Spanned<u64>>,
    header_seconds: Option<Spanned<u64>>,
    body_seconds: Option<Spanned<u64>>,
    streams: Option<Spanned<u64>>,
    stream_stalled_seconds: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Delivery {
    concurrency: Option<Spanned<u64>>,
    lane_events: Option<Spanned<u64>>,
    lane_bytes: Option<Spanned<Size>>,
    in_flight_max: Option<Spanned<u64>>,
    postponed_max: Option<Spanned<u64>>,
    removed_kept: Option<Spanned<Age>>,
    hops_max: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Journal {
    segment_bytes: Option<Spanned<Size>>,
    seal_after: Option<Spanned<Age>>,
    free_bytes_min: Option<Spanned<Size>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DeadLetters {
    days: Option<Spanned<u64>>,
    count: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Plugin {
    cpu_ms: Option<Spanned<u64>>,
    wall_ms: Option<Spanned<u64>>,
    memory_bytes: Option<Spanned<Size>>,
    output_bytes: Option<Spanned<Size>>,
    outputs: Option<Spanned<u64>>,
    log_lines: Option<Spanned<u64>>,
    log_kept: Option<Spanned<u64>>,
    upload_token: Option<Spanned<String>>,
    versions: Option<Spanned<u64>>,
    versions_bytes: Option<Spanned<Size>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Reload {
    poll_ms: Option<Spanned<u64>>,
    debounce_ms: Option<Spanned<u64>>,
    tests: Option<Tests>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tests {
    Enforced,
    Warned,
    Off,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shutdown {
    drain_seconds: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    format: Option<Format>,
    level: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Text,
    Json,
}

/// Parses the file. Paths in it are meant from `folder`, where the file lies.
pub(super) fn parse(path: &str, text: &str, folder: &Path) -> Result<Config, Vec<Diagnostic>> {
    let Read { file, problems } = mend::read::<File>(path, text);
    let mut config = Config::default();
    let mut checks = Checks { path, text, problems };
    checks.names(&file, folder, &mut config);
    let deduplication = file.deduplication.unwrap_or_default();
    let into = &mut config.deduplication;
    checks.age("window", deduplication.window, DEDUPLICATION_WINDOW, &mut into.window);
    checks.number("keys_max", deduplication.keys_max, 1..=100_000_000, &mut into.keys_max);
    let log = file.delivery_log.unwrap_or_default();
    checks.age("age", log.age, DELIVERY_LOG_AGE, &mut config.delivery_log.age);
    let bytes = 1 << 20..=1 << 50;
    checks.bytes("bytes", log.bytes, bytes, &mut config.delivery_log.bytes);
    checks.limits(file.limits.unwrap_or_default(), &mut config.limits);
    checks.http(file.http.unwrap_or_default(), &mut config.http);
    checks.delivery(file.delivery.unwrap_or_default(), &mut config.delivery);
    checks.plugin(file.plugin.unwrap_or_default(), folder, &mut config.plugin);

    let letters = file.dead_letters.unwrap_or_default();
    checks.number("days", letters.days, 1..=36_500, &mut config.dead_letters.days);
    checks.number("count", letters.count, 1..=1_000_000_000, &mut config.dead_letters.count);
    checks.journal(file.journal.unwrap_or_default(), &mut config.journal);
    let reload = file.reload.unwrap_or_default();
    checks.ms("poll_ms", reload.poll_ms, 50..=600_000, &mut config.reload.poll);
    checks.ms("debounce_ms", reload.debounce_ms, 0..=10_000, &mut config.reload.debounce);
    match reload.tests {
        Some(Tests::Enforced) | None => (),
        Some(Tests::Warned) => config.reload.tests = super::Tests::Warned,
        Some(Tests::Off) => config.reload.tests = super::Tests::Off,
    }
    checks.egress(&file.egress.unwrap_or_default(), &mut config.egress);
    let drain = file.shutdown.unwrap_or_default().drain_seconds;
    checks.seconds("drain_seconds", drain, 0..=3_600, &mut config.drain);
    let log = file.log.unwrap_or_default();
    checks.level(log.level, &mut config.log.level);
    match log.format {
        Some(Format::Text) => config.log.format = LogFormat::Text,
        Some(Format::Json) => config.log.format = LogFormat::Json,
        None => (),
    }

    let mut problems = checks.problems;
    problems.sort_by_key(|one| one.span.start);
    problems.truncate(mend::PROBLEMS_MAX);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Moves values from the file into the configuration and gathers what is wrong with them.
pub(super) struct Checks<'a> {
    path: &'a str,
    text: &'a str,
    problems: Vec<Diagnostic>,
}

impl Checks<'_> {
    fn names(&mut self, file: &File, folder: &Path, config: &mut Config) {
        if let Some(listen) = &file.listen {
            match check_address(&listen.value) {
                Ok(()) => config.listen.clone_from(&listen.value),
                Err(reason) => self.problem(listen, reason, ADDRESS_MEND),
            }
        }
        self.folder(file.data_dir.as_ref(), folder, &mut config.data_dir);
        self.folder(file.rules_dir.as_ref(), folder, &mut config.rules_dir);
        self.folder(file.plugins_dir.as_ref(), folder, &mut config.plugins_dir);
        if let Some(buses) = &file.buses {
            self.buses(buses, config);
        }
        if let Some(connections) = &file.connections {
            self.connections(connections, config);
        }
        if let Some(account) = &file.account {
            self.word("account", account, &mut config.account);
        }
        if let Some(region) = &file.region {
            self.word("region", region, &mut config.region);
        }
    }

    fn folder(&mut self, found: Option<&Spanned<String>>, base: &Path, into: &mut PathBuf) {
        let Some(found) = found else { return };
        if found.value.is_empty() || found.value.contains('\0') {
            self.problem(found, "this is no path".to_owned(), "name a folder");
            return;
        }
        *into = base.join(&found.value);
    }

    fn word(&mut self, key: &str, found: &Spanned<String>, into: &mut String) {
        let value = &found.value;
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if value.is_empty() || 64 < value.len() || !plain {
            let reason = format!("`{value}` is not usable as {key}");
            self.problem(found, reason, "use 1 to 64 letters, digits and `-`");
        } else {
            into.clone_from(value);
        }
    }

    fn level(&mut self, found: Option<Spanned<String>>, into: &mut String) {
        let Some(found) = found else { return };
        if LEVELS.contains(&found.value.as_str()) {
            *into = found.value;
            return;
        }
        let mend = match nearest(&found.value, LEVELS) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "one of `error`, `warn`, `info`, `debug`, `trace`".to_owned(),
        };
        let reason = format!("unknown level `{}`", found.value);
        self.problem(&found, reason, &mend);
    }

    fn limits(&mut self, file: Limits, into: &mut super::Limits) {
        let body = file.body_bytes.clone();
        self.bytes("event_bytes", file.event_bytes, EVENT_BYTES, &mut into.event_bytes);
        self.number("depth", file.depth, 4..=256, &mut into.depth);
        self.bytes("body_bytes", file.body_bytes, 1024..=1 << 30, &mut into.body_bytes);
        self.number("body_events", file.body_events, 1..=1_000_000, &mut into.body_events);
        self.bytes("bodies_bytes", file.bodies_bytes, 1024..=1 << 40, &mut into.bodies_bytes);
        if let Some(found) = body.filter(|_| into.body_bytes < into.event_bytes) {
            let reason = format!("an event may have {} bytes, a body fewer", into.event_bytes);
            self.problem(&found, reason, "raise body_bytes or lower event_bytes");
        }
        into.bodies_bytes = into.bodies_bytes.max(into.body_bytes);
    }

    fn http(&mut self, file: Http, into: &mut super::Http) {
        self.number("connections", file.connections, 1..=1_000_000, &mut into.connections);
        self.seconds("header_seconds", file.header_seconds, SECONDS, &mut into.header);
        self.seconds("body_seconds", file.body_seconds, SECONDS, &mut into.body);
        self.number("streams", file.streams, 0..=10_000, &mut into.streams);
        let stalled = file.stream_stalled_seconds;
        self.seconds("stream_stalled_seconds", stalled, SECONDS, &mut into.stream_stalled);
    }

    fn delivery(&mut self, file: Delivery, into: &mut super::Delivery) {
        self.number("concurrency", file.concurrency, 1..=10_000, &mut into.concurrency);
        self.number("lane_events", file.lane_events, 1..=1_000_000, &mut into.lane_events);
        self.bytes("lane_bytes", file.lane_bytes, 64 << 10..=1 << 30, &mut into.lane_bytes);
        self.number("in_flight_max", file.in_flight_max, 1..=100_000, &mut into.in_flight_max);
        self.number("postponed_max", file.postponed_max, 1..=10_000_000, &mut into.postponed_max);
        self.age("removed_kept", file.removed_kept, REMOVED_KEPT, &mut into.removed_kept);
        self.number("hops_max", file.hops_max, 1..=64, &mut into.hops_max);
    }

    fn journal(&mut self, file: Journal, into: &mut super::Journal) {
        self.age("seal_after", file.seal_after, SEAL_AFTER, &mut into.seal_after);
        self.bytes("free_bytes_min", file.free_bytes_min, 0..=1 << 50, &mut into.free_bytes_min);
        if let Some(found) = &file.segment_bytes
            && let Size::Bytes(bytes) = found.value
            && !bytes.is_multiple_of(PAGE)
        {
            let reason = format!("segment_bytes cannot be {bytes}");
            self.problem(found, reason, "use a multiple of 4096, such as 64MiB");
            return;
        }
        self.bytes("segment_bytes", file.segment_bytes, SEGMENT_BYTES, &mut into.segment_bytes);
    }

    fn plugin(&mut self, file: Plugin, folder: &Path, into: &mut super::Plugin) {
        self.ms("cpu_ms", file.cpu_ms, MS, &mut into.cpu);
        self.ms("wall_ms", file.wall_ms, MS, &mut into.wall);
        self.bytes("memory_bytes", file.memory_bytes, 1 << 20..=4 << 30, &mut into.memory_bytes);
        self.bytes("output_bytes", file.output_bytes, 1..=1 << 30, &mut into.output_bytes);
        self.number("outputs", file.outputs, 1..=1_000_000, &mut into.outputs);
        self.number("log_lines", file.log_lines, 0..=1_000_000, &mut into.log_lines);
        self.number("log_kept", file.log_kept, 1..=100_000, &mut into.log_kept);
        self.number("versions", file.versions, 1..=100, &mut into.versions);
        let bytes = 1 << 20..=1 << 40;
        self.bytes("versions_bytes", file.versions_bytes, bytes, &mut into.versions_bytes);
        let Some(found) = file.upload_token else { return };
        match TokenPlace::parse(&found.value) {
            Some(TokenPlace::File(path)) => {
                into.upload_token = Some(TokenPlace::File(folder.join(path)));
            }
            Some(place) => into.upload_token = Some(place),
            None => {
                let reason = "the token itself does not stand in this file".to_owned();
                self.problem(&found, reason, SECRET_MEND);
            }
        }
    }

    /// Of the file, as it is shown.
    pub(super) fn path(&self) -> &str {
        self.path
    }

    pub(super) fn problem<T>(&mut self, found: &Spanned<T>, message: String, mend: &str) {
        let span = place(self.text, &found.referenced);
        let words = [message, "this value".to_owned(), mend.to_owned()];
        self.problems.push(at(self.path, self.text, span, words));
    }
}

pub(crate) const ADDRESS_MEND: &str =
    "write host and port, as in 127.0.0.1:4587, 0.0.0.0:4587 or [::1]:4587";

/// Whether `text` is `host:port`. Whether the host exists is for the listener to find out.
pub(crate) fn check_address(text: &str) -> Result<(), String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("`{text}` has no port"));
    };
    if port.parse::<u16>().is_err() {
        return Err(format!("`{port}` is no port"));
    }
    if host.is_empty() {
        return Err(format!("`{text}` names no host"));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(format!("`{text}` is no host and port"));
    }
    Ok(())
}
