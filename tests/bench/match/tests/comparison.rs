//! The comparison as it is run: engines side by side, and what goes wrong in one as a result.

use std::process::Command;

use serde_json::Value;

/// Runs the program over one family, briefly.
fn compare(arguments: &[&str]) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_slipswitch-bench-match"))
        .args(["--rounds", "2", "--seconds", "0.01"])
        .args(arguments)
        .output()
        .expect("the program runs");
    (String::from_utf8(output.stdout).expect("it prints text"), output.status.success())
}

/// What it says of the engines of one family.
fn engines(arguments: &[&str]) -> Value {
    let (out, is_success) = compare(&[arguments, &["--json"]].concat());
    assert!(is_success, "{out}");
    let families: Value = serde_json::from_str(&out).expect("it prints JSON");
    assert_eq!(families.as_array().map(Vec::len), Some(1), "{out}");
    families[0]["engines"].clone()
}

#[test]
fn engines_side_by_side_find_the_same() {
    let found = engines(&["tenth-1k"]);
    assert_eq!(found["slipswitch"]["matches"], 100_000, "{found}");
    for engine in ["quamina", "naive"] {
        assert_eq!(found[engine]["checksum"], found["slipswitch"]["checksum"], "{engine}: {found}");
    }
    for engine in ["slipswitch", "quamina", "naive", "validate", "find"] {
        assert!(0.0 < found[engine]["events_per_second"].as_f64().unwrap(), "{engine}: {found}");
        assert_eq!(found[engine]["rounds"].as_array().map(Vec::len), Some(2), "{engine}");
    }
    assert!(100_000 < found["naive"]["heap_bytes"].as_u64().unwrap(), "{found}");
    assert!(1.0 <= found["quamina"]["allocations_per_event"].as_f64().unwrap(), "{found}");
}

#[test]
fn an_engine_that_refuses_dies_or_dawdles_is_told_and_stops_nobody() {
    let refused = engines(&["every-1k", "--engines", "quamina,validate"]);
    assert!(refused["quamina"]["refused"].is_string(), "{refused}");
    assert!(refused["validate"]["matches"].is_u64(), "{refused}");
    let died = engines(&["thresholds-1k", "--engines", "quamina,validate"]);
    let words = died["quamina"]["died"].as_str().unwrap();
    assert!(words.contains("fits in u8"), "{died}");
    assert!(died["validate"]["matches"].is_u64(), "{died}");
    let slow = engines(&["exact-1k", "--engines", "naive", "--patience", "0.001"]);
    assert_eq!(slow["naive"]["too_slow"], true, "{slow}");
}

#[test]
fn the_table_has_a_row_for_each_family_and_notes_below() {
    let (out, _) = compare(&["every-1k", "exact-1", "--engines", "slipswitch,quamina"]);
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(rows[0].starts_with("  family "), "{out}");
    assert!(rows[1].starts_with("  exact-1 ") && rows[2].starts_with("  every-1k "), "{out}");
    assert!(
        rows[3].starts_with("  quamina does not take the patterns (")
            && rows[3].ends_with(": every-1k")
    );
}

#[test]
fn what_is_not_there_is_an_error() {
    for arguments in [&["nonsense"][..], &["--engines", "nobody"], &["--rounds"], &["--bogus"]] {
        let (out, is_success) = compare(arguments);
        assert!(!is_success && out.starts_with("error: "), "{arguments:?}: {out}");
    }
}
