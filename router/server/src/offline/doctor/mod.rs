//! Whether this machine is fit for a router: what `slipswitch doctor` looks at.
//!
//! Each file is one thing that is looked at: a `look` that gathers what there is, and a `judge` that says what it
//! means. A judgement is a function of the facts alone.
//!
//! # Invariants
//!
//! - Nothing is changed: what is written to measure the disk has no name and goes with its file descriptor, no folder
//!   is made, and no lock is taken that a starting router would meet.
//! - What cannot be found out on this system is left out or said to be unknown, and is no problem.
//! - A check that is not `Ok` says what to do next.
//!
//! # Not here
//!
//! - Talking to a router: the command line does, and hands in what it [`Heard`].
//! - The soundness of the journal: `slipswitch journal verify` reads it all.

mod check;
mod data;
mod disk;
mod machine;
mod memory;
mod port;
mod process;
mod router;
mod rules;
mod secrets;

use std::path::{Path, PathBuf};

pub use check::{Check, State};
pub use router::Heard;

use crate::config::{Config, FILE_NAME};

/// Where things are, as the command line says. `None` leaves the word to the configuration.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub config: Option<PathBuf>,
    pub rules: Option<PathBuf>,
    pub plugins: Option<PathBuf>,
    pub data: Option<PathBuf>,
}

/// A look at this machine that has begun with the configuration.
pub struct Examination {
    places: Places,
    config: Config,
    /// Why the configuration is not the one that was meant.
    broken: Option<String>,
}

impl Examination {
    pub fn begin(places: Places) -> Self {
        let (mut config, broken) = match Config::read(places.config.as_deref()) {
            Ok(config) => (config, None),
            Err(error) => (Config::default(), Some(error.to_string())),
        };
        for (into, named) in [
            (&mut config.rules_dir, &places.rules),
            (&mut config.plugins_dir, &places.plugins),
            (&mut config.data_dir, &places.data),
        ] {
            if let Some(named) = named {
                into.clone_from(named);
            }
        }
        Self { places, config, broken }
    }

    /// Where a router of this configuration answers. None when there is no telling: its port is any free one.
    pub fn url(&self) -> Option<String> {
        port::url(&self.config.listen)
    }

    /// Looks at everything else, and judges it.
    pub fn end(&self, heard: &Heard) -> Vec<Check> {
        let Self { places, config, broken } = self;
        let mut checks = vec![configuration(places.config.as_deref(), broken.as_deref())];
        // What a broken file says of its folders and its address nobody knows.
        if broken.is_none() {
            checks.extend(port::judge(&port::look(&config.listen), heard));
        }
        checks.extend(router::judge(heard, env!("CARGO_PKG_VERSION")));
        let mut owner = None;
        if broken.is_none() || places.data.is_some() {
            let data = data::look(&config.data_dir);
            owner = data.holder();
            let answers = self.url().is_some_and(|url| heard.is_router_at(&url));
            checks.extend(data::judge(&data, answers));
            checks.extend(disk::judge(&disk::look(data.near()), &config.journal));
        }
        // They are compiled with what the configuration says of them.
        if broken.is_none() {
            checks.push(rules::judge(&rules::look(places)));
        }
        checks.extend(machine::judge(&machine::look(config, owner), config));
        checks.push(memory::judge(memory::look(), memory::needed(config)));
        checks.extend(secrets::judge(&secrets::look(config)));
        checks
    }
}

fn configuration(named: Option<&Path>, broken: Option<&str>) -> Check {
    let about = "configuration";
    if let Some(error) = broken {
        let mend = "mend it; then `slipswitch doctor` looks at the rest, too";
        return Check::problem(about, error, mend);
    }
    match named {
        Some(path) => Check::ok(about, format!("{} is valid", path.display())),
        None if Path::new(FILE_NAME).exists() => Check::ok(about, format!("{FILE_NAME} is valid")),
        None => Check::ok(about, format!("no {FILE_NAME} here: every key has its default")),
    }
}
