//! Damaged plugins, and arbitrary bytes as plugins.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| slipswitch_plugin_fuzz::load(bytes));
