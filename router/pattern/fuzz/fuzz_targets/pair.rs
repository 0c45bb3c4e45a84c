//! Arbitrary bytes as a pattern and an event.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| slipswitch_pattern_fuzz::pair(bytes));
