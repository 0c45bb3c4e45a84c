//! Arbitrary bytes as an event.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| slipswitch_pattern_fuzz::match_event(bytes));
