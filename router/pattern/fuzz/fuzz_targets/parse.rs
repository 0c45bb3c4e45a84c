//! Arbitrary bytes as the text of a pattern.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| slipswitch_pattern_fuzz::parse(bytes));
