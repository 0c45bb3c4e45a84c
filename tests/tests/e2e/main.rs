//! End to end: the built binary, the shipped plugins, real sockets, folders on a real disk.
//!
//! Each module is one journey of a user or of an operator. The tests know what anybody on the outside knows: the
//! command line, HTTP, rule files, log lines.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod arrows;
mod authors;
mod bad_input;
mod beside;
mod buses;
mod checking;
mod commands;
mod connections;
mod consent;
mod console;
mod counting;
mod damage;
mod determinism;
mod dialects;
mod diff;
mod doctor;
mod documents;
mod egress;
mod examples;
mod explaining;
mod figures;
mod fmt;
mod full_disk;
mod harness;
mod journal;
mod kills;
mod letters;
mod lifecycle;
mod live;
mod misbehaving;
mod outputs;
mod path;
mod plugins;
mod reload;
mod replacing;
mod replay;
mod retry;
mod secrets;
mod sent_rules;
mod stopping;
mod storm;
mod stream;
mod testing;
mod tidy;
mod trail;
mod uploads;
