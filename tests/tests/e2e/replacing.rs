//! A plugin replaced again and again while events come in.
//!
//! `REPLACEMENTS=1000 cargo test -p slipswitch-tests a_plugin_replaced` replaces it as often, which is what shows that
//! nothing of a version stays behind; `cargo xtask ci` does so.
//!
//! Each version of the plugin is code of its own: it puts its number before and behind the event's id, from two
//! places of its memory.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::sync::Arc;

use serde_json::Value;

use crate::harness::{Allowance, Router, Scene, transformer};

const REPLACEMENTS: usize = 12;
const EVENTS_PER_VERSION: usize = 200;
/// What a version's number is written with.
const DIGITS: usize = 6;
/// So many show what stays behind.
const COUNTED_FROM: usize = 100;
/// What the allocator may keep.
const GROWTH_BYTES_MAX: u64 = 16 << 20;
/// And for each replacement, because its events are in indexes: a quarter of what the version's compiled code takes.
const GROWTH_PER_REPLACEMENT: u64 = 16 << 10;

/// A plugin that makes `<version> <id> <version>` of an event.
fn plugin(version: usize) -> Vec<u8> {
    let side = DIGITS + 1;
    let data = format!(
        r#"(data (i32.const 64) "{version:0DIGITS$} ") (data (i32.const 4096) " {version:0DIGITS$}")"#
    );
    let body = format!(
        "(memory.copy (i32.const 2048) (i32.const 64) (i32.const {side}))
        (memory.copy (i32.const {middle}) (local.get $id) (local.get $id_len))
        (memory.copy (i32.add (i32.const {middle}) (local.get $id_len)) (i32.const 4096) (i32.const {side}))
        (call $text (i32.const 2048) (i32.add (local.get $id_len) (i32.const {both})))",
        middle = 2048 + side,
        both = 2 * side,
    );
    transformer("", &data, &body)
}

/// Waits until the subscription has at most this many events left to look at.
fn wait_for_lag(router: &Router, at_most: u64) {
    router.wait_for_status(|status| {
        let all = status["router"]["subscriptions"].as_array().unwrap();
        let is_owed = |one: &Value| {
            ["lag", "queued", "in_flight"].iter().any(|key| one[key].as_u64().unwrap() > at_most)
        };
        !all.iter().any(is_owed)
    });
}

/// How many lines each event became, by id; every line is of one version alone.
fn arrived(lines: &str, newest: usize) -> (BTreeMap<usize, usize>, BTreeSet<usize>) {
    let (mut events, mut versions) = (BTreeMap::new(), BTreeSet::new());
    for line in lines.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [before, id, behind] = words[..] else { panic!("no output of ours: {line}") };
        assert_eq!(before, behind, "of two versions: {line}");
        let version: usize = before.parse().unwrap();
        assert!(version <= newest, "{line}");
        versions.insert(version);
        *events.entry(id.parse().unwrap()).or_default() += 1;
    }
    (events, versions)
}

#[test]
fn a_plugin_replaced_under_load_loses_no_event_and_no_event_sees_half_a_version() {
    let replacements =
        env::var("REPLACEMENTS").map_or(REPLACEMENTS, |count| count.parse().unwrap());
    let scene = Scene::new();
    scene.write("plugins/versions.wasm", plugin(0));
    scene.write(
        "rules/all.yaml",
        "name: all\npattern: { source: [load] }\ntargets:\n  - id: out\n    log: { file: out.txt }\n    \
         transform: [{ plugin: versions }]\n",
    );
    let router = scene.serve();
    let allowance = Arc::new(Allowance::default());
    let producer = allowance.produce(router.address());

    let (mut seen, mut warm) = (0, None);
    let warm_at = replacements.div_ceil(4);
    for version in 1..=replacements {
        allowance.give(EVENTS_PER_VERSION);
        scene.replace("plugins/versions.wasm", plugin(version));
        let (at, _) = router.process.err.wait_for("rules swapped", seen);
        seen = at + 1;
        // Some are always on their way, and never so many that a lane forgets which version they met.
        wait_for_lag(&router, EVENTS_PER_VERSION as u64);
        if version == warm_at {
            warm = Some(router.resident_bytes());
        }
    }
    allowance.end();
    let sent = producer.join().unwrap();
    wait_for_lag(&router, 0);
    let (warm, resident) = (warm.unwrap(), router.resident_bytes());
    assert_eq!(router.status()["last_error"], Value::Null);
    router.stop().expect(0);

    let (events, versions) =
        arrived(&fs::read_to_string(scene.path("out.txt")).unwrap(), replacements);
    let lost: Vec<usize> = (0..sent).filter(|id| !events.contains_key(id)).collect();
    assert!(lost.is_empty(), "acknowledged, and never delivered: {lost:?}");
    assert_eq!(events.len(), sent, "an event arrived that nobody sent");
    let twice = events.values().filter(|count| **count > 1).count();
    assert_eq!(twice, 0, "delivered more than once although nothing failed");
    assert!(versions.len() > replacements / 2, "most versions served: {}", versions.len());
    if replacements < COUNTED_FROM {
        return; // The router is still warming up.
    }
    let since = u64::try_from(replacements - warm_at).unwrap();
    let (grown, may) =
        (resident.saturating_sub(warm), GROWTH_BYTES_MAX + since * GROWTH_PER_REPLACEMENT);
    eprintln!(
        "{replacements} replacements, {sent} events: {warm} bytes after {warm_at}, {resident} at the end"
    );
    assert!(grown <= may, "memory grew by {grown} bytes from {warm}, and may by {may}");
}
