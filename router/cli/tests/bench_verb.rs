//! `slipswitch bench match`: what it counts is right, and what it refuses is named.

mod support;

use std::fs;
use std::path::Path;

use support::{Outcome, run};

fn bench(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    let arguments = [&["bench", "match"], arguments].concat();
    run(&arguments, input, |command| command.current_dir(folder))
}

fn folder(patterns: &str, events: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("p.jsonl"), patterns).expect("write the patterns");
    fs::write(folder.path().join("e.jsonl"), events).expect("write the events");
    folder
}

/// The published FNV-1a of 64 bits, on its own.
fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
    }
    hash
}

const PATTERNS: &str = r#"{"id":"große Bestellung","pattern":{"total":[{"numeric":[">",100]}]}}
{"id":7,"pattern":{"total":[{"exists":true}]}}
{"id":["x", 1],"pattern":{"state":["new"]}}
"#;
const EVENTS: &str = "{\"total\":5,\"state\":\"new\"}\n\n{\"total\":250}\n\"no object\"\n{}\n";
const FILES: [&str; 6] = ["--patterns", "p.jsonl", "--events", "e.jsonl", "--seconds", "0.02"];

/// What a run that is right says on standard error: the tests run the build they belong to.
const SAID: &str = if cfg!(debug_assertions) { "a debug build measures nothing\n" } else { "" };

#[test]
fn matches_are_counted_and_summed_as_documented() {
    let here = folder(PATTERNS, EVENTS);
    let outcome = bench(here.path(), &[&FILES[..], &["--json"]].concat(), "");
    assert_eq!((outcome.code, outcome.err.as_str()), (Some(0), SAID));
    let report: serde_json::Value = serde_json::from_str(&outcome.out).expect("it prints JSON");
    let pairs = ["0\t7\n", "0\t[\"x\",1]\n", "1\t\"große Bestellung\"\n", "1\t7\n"];
    let sum = pairs.iter().fold(0_u64, |sum, pair| sum.wrapping_add(fnv(pair.as_bytes())));
    assert_eq!(report["checksum"], format!("{sum:016x}"), "{report}");
    assert_eq!((&report["patterns"], &report["events"]), (&3.into(), &4.into()), "{report}");
    assert_eq!((&report["matches"], &report["matches_per_event"]), (&4.into(), &1.0.into()));
    assert_eq!(report["event_bytes"], 25 + 13 + 11 + 2);
    for positive in ["events_per_second", "bytes_per_second", "compile_seconds", "memory_bytes"] {
        assert!(0.0 < report[positive].as_f64().unwrap(), "{positive}: {report}");
    }
    let clock = if cfg!(target_os = "linux") { "processor" } else { "wall" };
    assert_eq!(report["clock"], clock);
}

#[test]
fn people_are_told_the_same() {
    let here = folder(PATTERNS, EVENTS);
    let arguments = ["--patterns", "p.jsonl", "--events", "-", "--seconds", "0.02"];
    let outcome = bench(here.path(), &arguments, EVENTS);
    assert_eq!((outcome.code, outcome.err.as_str()), (Some(0), SAID));
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert_eq!(lines[0], "patterns  3");
    assert_eq!(lines[1], "events    4, 13 bytes on average");
    assert_eq!(lines[2], "matches   4 in one pass, 1.00 an event");
    let json = bench(here.path(), &[&FILES[..], &["--json"]].concat(), "").out;
    let checksum = lines[3].strip_prefix("checksum  ").unwrap();
    assert!(json.contains(&format!("\"checksum\": \"{checksum}\"")), "{checksum}: {json}");
    assert!(lines[6].starts_with("speed     "), "{}", outcome.out);
}

#[test]
fn a_file_that_is_one_array_is_suspected() {
    let here = folder(PATTERNS, "[{\"total\":5},{\"total\":6}]\n");
    let outcome = bench(here.path(), &FILES, "");
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let suspicion = "no event is an object: is the file one array?\n";
    assert_eq!(outcome.err, format!("{SAID}{suspicion}"));
    assert!(outcome.out.contains("\nmatches   0 in one pass"), "{}", outcome.out);
}

#[test]
fn a_line_that_is_none_is_named_and_nothing_is_measured() {
    let broken_pattern = format!("{PATTERNS}{{\"id\":1,\"pattern\":{{\"a\":[]}}}}\n");
    let broken_event = format!("{EVENTS}{{\"a\":}}\n");
    for (patterns, events, place) in [
        (broken_pattern.as_str(), EVENTS, "p.jsonl line 4, column "),
        (PATTERNS, broken_event.as_str(), "e.jsonl line 6, column "),
        ("nonsense\n", EVENTS, "p.jsonl line 1: "),
        (PATTERNS, "", "e.jsonl has no event"),
    ] {
        let outcome = bench(folder(patterns, events).path(), &FILES, "");
        assert_eq!((outcome.code, outcome.out.as_str()), (Some(1), ""), "{place}");
        assert!(outcome.err.starts_with(place), "{place}: {}", outcome.err);
    }
}

#[test]
fn wrong_usage_is_two_and_a_missing_file_is_one() {
    let here = folder(PATTERNS, EVENTS);
    for arguments in [
        &["--patterns", "-", "--events", "-"][..],
        &["--patterns", "p.jsonl"],
        &["--patterns", "p.jsonl", "--events", "e.jsonl", "--seconds", "0"],
    ] {
        assert_eq!(bench(here.path(), arguments, "").code, Some(2), "{arguments:?}");
    }
    let missing = bench(here.path(), &["--patterns", "none.jsonl", "--events", "e.jsonl"], "");
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.starts_with("open none.jsonl: "), "{}", missing.err);
}
