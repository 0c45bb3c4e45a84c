//! A plugin whose answers, and whose calls into the host, are arbitrary bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| slipswitch_plugin_fuzz::output(bytes));
