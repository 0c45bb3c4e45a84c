//! The life of a router's process: configuration, start, signals, stop.
//!
//! ```text
//! start   configuration ─▶ log ─▶ rules ─▶ socket ─▶ data folder ─▶ announce
//!                                   └ take long? socket ─▶ data folder ─▶ take events ─▶ rules ─▶ announce
//! stop    accept nothing more ─▶ finish requests ─▶ finish deliveries ─▶ exit
//! ```
//!
//! # Invariants
//!
//! - `serve` does not start with broken rules; `dev` starts with none and waits for the mend.
//! - Our own bug stops the process: a panic on any thread is logged and aborts.
//! - A second signal ends the process at once.

mod hopeless;
mod last_stop;
mod opening;
mod start;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bus::plugin;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::config::{self, ADDRESS_MEND, Config, ConfigError, check_address};
use crate::folder::Folders;
use crate::http::ListenError;
use crate::log;
use crate::sent_rules::SentFolder;
use start::Running;

/// How long threads that run a plugin or read a folder are waited for at the very end.
const THREADS_TIME_MAX: Duration = Duration::from_secs(1);

/// What a segment has in `dev` unless the configuration says otherwise: it starts in a blink.
const DEV_SEGMENT_BYTES: u64 = 16 << 20;

/// Bad configuration, as in BSD's `sysexits`.
const EXIT_CONFIG: u8 = 78;
const EXIT_FAILED: u8 = 1;

/// What the command line said. `None` leaves the word to the configuration, and then to the default.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    pub mode: Mode,
    pub rules: Option<PathBuf>,
    pub plugins: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
    pub config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Refuses to start with broken rules.
    #[default]
    Serve,
    /// Starts with broken rules, shows what is wrong, and waits for the mend.
    Dev,
}

/// Why the process ends otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Config(String),

    #[error("{rendered}\n{message}; nothing was started")]
    Rules { message: String, rendered: String },

    #[error("{0}")]
    Listen(String),

    /// The address itself is wrong, whoever uses its port.
    #[error("{0}")]
    Address(String),

    #[error("start the plugin host: {0}")]
    PluginHost(#[from] plugin::HostError),

    #[error("{0}")]
    Open(#[from] bus::OpenError),

    #[error("start the runtime: {0}")]
    Runtime(std::io::Error),

    #[error("stopped by a second signal; what was under way is taken up again at the next start")]
    Interrupted,
}

impl RunError {
    /// 78 when trying again unchanged cannot help, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Rules { .. } | Self::Address(_) => EXIT_CONFIG,
            Self::Open(error) if hopeless::is_hopeless(error) => EXIT_CONFIG,
            Self::Listen(_)
            | Self::PluginHost(_)
            | Self::Open(_)
            | Self::Runtime(_)
            | Self::Interrupted => EXIT_FAILED,
        }
    }
}

impl From<ConfigError> for RunError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.to_string())
    }
}

impl From<ListenError> for RunError {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::InUse { .. } => Self::Listen(error.to_string()),
            ListenError::Io { .. } => Self::Address(error.to_string()),
        }
    }
}

/// Runs a router until it is told to stop.
///
/// # Errors
///
/// When it does not start, or does not stop in order. The error's text is all that a person needs.
pub fn run(options: ServeOptions) -> Result<(), RunError> {
    let mode = options.mode;
    let config = configure(options)?;
    log::start(&config.log);
    abort_on_panic();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    let ended = runtime.block_on(live(config, mode));
    runtime.shutdown_timeout(THREADS_TIME_MAX);
    ended
}

async fn live(config: Config, mode: Mode) -> Result<(), RunError> {
    let mut signals = Signals::listen().map_err(RunError::Runtime)?;
    let Some(running) = Running::start(config, mode, signals.next()).await? else {
        return Ok(());
    };
    announce(&running);
    signals.next().await;
    info!("{}", running.farewell());
    tokio::select! {
        () = running.stop() => {
            info!("stopped");
            Ok(())
        }
        () = signals.next() => Err(RunError::Interrupted),
    }
}

/// The configuration file's words, overruled by the command line's.
fn configure(options: ServeOptions) -> Result<Config, RunError> {
    let mut config = Config::read(options.config.as_deref())?;
    if let Some(listen) = options.listen {
        check_address(&listen)
            .map_err(|reason| RunError::Config(format!("--listen: {reason}; {ADDRESS_MEND}")))?;
        config.listen = listen;
    }
    let replace = |into: &mut PathBuf, named: Option<PathBuf>| {
        if let Some(named) = named {
            *into = named;
        }
    };
    replace(&mut config.rules_dir, options.rules);
    replace(&mut config.plugins_dir, options.plugins);
    replace(&mut config.data_dir, options.data);
    if options.mode == Mode::Dev && config.journal == Config::default().journal {
        config.journal.segment_bytes = DEV_SEGMENT_BYTES;
    }
    Ok(config)
}

/// The folders of rules and plugins, and none of sent rules. Only the default folder of plugins may be missing.
pub(crate) fn folders(config: &Config) -> Folders {
    let plugins = config.plugins_dir.clone();
    let plugins_optional = plugins.as_os_str() == config::PLUGINS_DIR;
    Folders {
        rules: config.rules_dir.clone(),
        sent: SentFolder::default(),
        plugins,
        plugins_optional,
    }
}

pub(crate) fn plugin_limits(config: &config::Plugin) -> plugin::Limits {
    plugin::Limits {
        cpu_max: config.cpu,
        wall_max: config.wall,
        memory_bytes_max: config.memory_bytes,
        output_bytes_max: config.output_bytes,
        outputs_max: config.outputs,
        log_lines_max: config.log_lines,
        ..plugin::Limits::default()
    }
}

/// The one line on standard output, for people and for what waits for the router.
fn announce(running: &Running) {
    use std::io::Write;

    let version = env!("CARGO_PKG_VERSION");
    let (address, rules, generation) = (running.address(), running.rules(), running.generation());
    let mut out = std::io::stdout().lock();
    let line = format!(
        "slipswitch {version} listening on http://{address} (rules: {rules}, generation {generation})\n"
    );
    if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
        warn!(%error, "nobody reads standard output");
    }
    info!(%address, rules, generation, "listening");
}

fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        error!(%panic, thread, "this is a bug in slipswitch; the process stops");
        std::process::abort();
    }));
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}
