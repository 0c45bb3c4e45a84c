//! What the router was told about itself: `slipswitch.yaml`, overruled by the command line.
//!
//! Every key has a default, so that no file is needed; the defaults stand in [`Config::default`] and,
//! for people, in `docs/slipswitch.example.yaml` (a test keeps the two equal).
//!
//! # Invariants
//!
//! - A [`Config`] that exists is usable: every number lies within its bounds, every name is a name.
//! - A problem in the file is reported with file, line, column and mend, and never half-applied.
//!
//! # Not here
//!
//! - Rules, targets and plugins' own configuration: they live in the rule files.

#[cfg(test)]
mod broken;
mod buses;
mod connections;
mod diagnose;
mod egress;
mod file;
mod masked;
mod mend;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use connections::{Kind, OAuth, Settings, SigV4, Tls, Written};
pub(crate) use diagnose::{at, byte_at, nearest};
pub(crate) use file::{ADDRESS_MEND, check_address};

use bus::delivery::Egress;
use bus::ruleset::Diagnostic;

use crate::plugins::token::TokenPlace;

/// The file that is read when no other is named, if it is there.
pub(crate) const FILE_NAME: &str = "slipswitch.yaml";

/// Where plugins are looked for when nobody says otherwise. Alone among the folders it may be missing:
/// a router without plugins is an ordinary one.
pub(crate) const PLUGINS_DIR: &str = "plugins";

/// A file larger than this is not a configuration.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Host and port; the host may be a name.
    pub(crate) listen: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) rules_dir: PathBuf,
    pub(crate) plugins_dir: PathBuf,
    pub(crate) buses: Vec<String>,
    /// Of the buses that say more of themselves than their name.
    pub(crate) bus_settings: BTreeMap<String, Bus>,
    pub(crate) deduplication: Deduplication,
    pub(crate) delivery_log: DeliveryLog,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) limits: Limits,
    pub(crate) http: Http,
    pub(crate) delivery: Delivery,
    pub(crate) journal: Journal,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) plugin: Plugin,
    pub(crate) reload: Reload,
    pub(crate) egress: Egress,
    pub(crate) drain: Duration,
    pub(crate) log: Log,
    /// Whose secrets nobody has read yet.
    pub(crate) connections: BTreeMap<String, Settings>,
    /// Where paths in `connections` are meant from.
    pub(crate) folder: PathBuf,
}

/// What one bus says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bus {
    pub(crate) deduplicates_by_source_and_id: bool,
    /// `None`: an event is acknowledged when it is synced. Else it is synced within this time.
    pub(crate) interval: Option<Duration>,
    pub(crate) retention: Retention,
}

/// What is kept of a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) age: Duration,
    pub(crate) bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 60 * 60), bytes: 10 << 30 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deduplication {
    pub(crate) window: Duration,
    pub(crate) keys_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryLog {
    pub(crate) age: Duration,
    pub(crate) bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) event_bytes: usize,
    pub(crate) depth: usize,
    /// One request's body.
    pub(crate) body_bytes: usize,
    /// Events in one request.
    pub(crate) body_events: usize,
    /// All bodies that are being read or stored at one moment.
    pub(crate) bodies_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Http {
    pub(crate) connections: usize,
    /// From a connection's begin, or the answer before, to the end of a request's headers: idling counts. Shorter
    /// would close kept connections under clients that are about to use them.
    pub(crate) header: Duration,
    /// From the end of the headers to the end of the body.
    pub(crate) body: Duration,
    /// Answers that show events as they come.
    pub(crate) streams: usize,
    /// How long one of them waits for a reader that takes nothing.
    pub(crate) stream_stalled: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) concurrency: usize,
    pub(crate) lane_events: usize,
    pub(crate) lane_bytes: usize,
    pub(crate) in_flight_max: usize,
    pub(crate) postponed_max: usize,
    /// How long a subscription keeps its place after its rule or target was removed.
    pub(crate) removed_kept: Duration,
    pub(crate) hops_max: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) segment_bytes: u64,
    /// How long events that do not fill a segment stay unsealed.
    pub(crate) seal_after: Duration,
    /// What is left free on the disk for the neighbours.
    pub(crate) free_bytes_min: u64,
}

/// How long dead letters are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetters {
    pub(crate) days: u64,
    pub(crate) count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) output_bytes: usize,
    pub(crate) outputs: usize,
    pub(crate) log_lines: usize,
    /// Lines of each plugin that are kept for whoever asks.
    pub(crate) log_kept: usize,
    /// None: plugins are changed through the folder alone.
    pub(crate) upload_token: Option<TokenPlace>,
    /// Of each plugin that were in service.
    pub(crate) versions: usize,
    pub(crate) versions_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reload {
    /// How often the folders are looked at when the system reports no change by itself.
    pub(crate) poll: Duration,
    /// How long the folders must be quiet before they are read.
    pub(crate) debounce: Duration,
    pub(crate) tests: Tests,
}

/// What the tests in the rule files are for, when rules are taken into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tests {
    /// Rules that fail them do not run.
    Enforced,
    /// What fails is told.
    Warned,
    /// They do not run.
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Limits {
    pub(crate) fn of_events(&self) -> event::Limits {
        event::Limits { event_bytes_max: self.event_bytes, depth_max: self.depth }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4587".to_owned(),
            data_dir: "data".into(),
            rules_dir: "rules".into(),
            plugins_dir: PLUGINS_DIR.into(),
            buses: vec!["default".to_owned()],
            bus_settings: BTreeMap::new(),
            deduplication: Deduplication { window: Duration::from_secs(300), keys_max: 1_000_000 },
            delivery_log: DeliveryLog { age: Duration::from_secs(7 * 86_400), bytes: 1 << 30 },
            account: "000000000000".to_owned(),
            region: "local".to_owned(),
            limits: Limits {
                event_bytes: 1 << 20,
                depth: 64,
                body_bytes: 16 << 20,
                body_events: 10_000,
                bodies_bytes: 256 << 20,
            },
            http: Http {
                connections: 4096,
                header: Duration::from_secs(60),
                body: Duration::from_secs(60),
                streams: 64,
                stream_stalled: Duration::from_secs(30),
            },
            delivery: Delivery {
                concurrency: 32,
                lane_events: 1024,
                lane_bytes: 8 << 20,
                in_flight_max: 4096,
                postponed_max: 10_000,
                removed_kept: Duration::from_secs(24 * 60 * 60),
                hops_max: 8,
            },
            journal: Journal {
                segment_bytes: 64 << 20,
                seal_after: Duration::from_secs(600),
                free_bytes_min: 64 << 20,
            },
            dead_letters: DeadLetters { days: 90, count: 1_000_000 },
            plugin: Plugin {
                cpu: Duration::from_millis(250),
                wall: Duration::from_secs(10),
                memory_bytes: 64 << 20,
                output_bytes: 4 << 20,
                outputs: 1000,
                log_lines: 64,
                log_kept: 1000,
                upload_token: None,
                versions: 5,
                versions_bytes: 256 << 20,
            },
            reload: Reload {
                poll: Duration::from_millis(2_000),
                debounce: Duration::from_millis(100),
                tests: Tests::Enforced,
            },
            egress: Egress::default(),
            drain: Duration::from_secs(10),
            log: Log { format: LogFormat::Text, level: "info".to_owned() },
            connections: BTreeMap::new(),
            folder: PathBuf::new(),
        }
    }
}

impl Config {
    /// Reads the file that was named; else `slipswitch.yaml` in the working folder, if it is there;
    /// else takes the defaults.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(FILE_NAME));
        let shown = path.display().to_string();
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Ok(Self::default());
            }
            Err(source) => return Err(ConfigError::Unreadable { path: shown, source }),
        };
        let text = String::from_utf8(bytes).map_err(|error| ConfigError::NotText {
            path: shown.clone(),
            byte: error.utf8_error().valid_up_to(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        file::parse(&shown, &text, folder)
            .map(|config| Self { folder: folder.to_owned(), ..config })
            .map_err(|diagnostics| {
                let text = masked::masked(&text);
                ConfigError::Invalid { diagnostics, text }
            })
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(
        "read configuration {path}: {source}; name an existing file with --config, or leave the flag away to use the defaults"
    )]
    Unreadable { path: String, source: std::io::Error },

    #[error("configuration {path} is not UTF-8 text (byte {byte}); save it as UTF-8")]
    NotText { path: String, byte: usize },

    #[error("{}", rendered(.diagnostics, .text, false))]
    Invalid { diagnostics: Vec<Diagnostic>, text: String },
}

impl ConfigError {
    /// For a terminal, perhaps in colours.
    pub(crate) fn render(&self, color: bool) -> String {
        match self {
            Self::Invalid { diagnostics, text } => rendered(diagnostics, text, color),
            Self::Unreadable { .. } | Self::NotText { .. } => self.to_string(),
        }
    }

    /// The same as diagnostics, for a report that holds other problems too.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let message = self.to_string();
        match self {
            Self::Invalid { diagnostics, .. } => diagnostics,
            Self::Unreadable { path, .. } | Self::NotText { path, .. } => {
                vec![at(&path, "", 0..0, [message, String::new(), String::new()])]
            }
        }
    }
}

fn rendered(diagnostics: &[Diagnostic], text: &str, color: bool) -> String {
    let mut shown: Vec<String> = diagnostics.iter().map(|one| one.render(text, color)).collect();
    if mend::PROBLEMS_MAX <= shown.len() {
        shown.push(format!("{} problems are shown; there may be more", shown.len()));
    }
    shown.join("\n")
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;

    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_BYTES_MAX) {
        let reason = format!("larger than {FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}
