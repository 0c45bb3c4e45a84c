//! What the host may use, and what one plugin may: every limit has its name here.

use std::path::PathBuf;
use std::time::Duration;

/// What the host may use, for all plugins together.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where compiled code is kept between starts: a folder that only this user may enter, made when missing.
    /// Without one, every start compiles again.
    pub cache_dir: Option<PathBuf>,
    /// Threads that plugins run on, and as many of low priority for calls that take long.
    pub workers: usize,
    /// Instances that exist at a time, busy and idle.
    pub instances_max: u32,
    /// The memory an instance can be given at all; [`Limits::memory_bytes_max`] may only be less.
    pub memory_bytes_max: usize,
    /// The largest file that is looked at.
    pub file_bytes_max: usize,
    /// An instance is replaced after this many calls, so that a leak in a plugin stays small.
    pub calls_per_instance_max: u64,
    /// Counts the instructions that plugins execute, for [`measured`](crate::measured). They then run at half speed.
    pub count_instructions: bool,
    /// Names of figures that a plugin can have, all its versions and configurations together.
    pub metric_names_max: usize,
    /// Log lines of a plugin, all its versions and configurations together; what is over is counted and left out.
    pub log_lines_per_second: u32,
    /// The same for a plugin that was silent before.
    pub log_lines_at_once: u32,
    /// How often a running call's budgets are looked at: a call may run over by about this much.
    pub tick: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_dir: None,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            instances_max: 256,
            memory_bytes_max: 256 << 20,
            file_bytes_max: 64 << 20,
            calls_per_instance_max: 100_000,
            count_instructions: false,
            metric_names_max: 100,
            log_lines_per_second: 200,
            log_lines_at_once: 1_000,
            tick: Duration::from_millis(2),
        }
    }
}

/// What one call of one plugin may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of the calling thread: a busy machine does not shorten it.
    pub cpu_max: Duration,
    /// Time on the clock, for what waits without computing.
    pub wall_max: Duration,
    /// Linear memory of an instance. One that ends a call above half of it is replaced before the next.
    pub memory_bytes_max: usize,
    /// Bodies and attributes of all outputs of a call together.
    pub output_bytes_max: usize,
    pub outputs_max: usize,
    /// Log lines per call; what is over is counted and left out.
    pub log_lines_max: usize,
    /// Of one log line, fields included; the rest is cut off.
    pub log_line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_max: Duration::from_millis(250),
            wall_max: Duration::from_secs(10),
            memory_bytes_max: 64 << 20,
            output_bytes_max: 4 << 20,
            outputs_max: 1_000,
            log_lines_max: 64,
            log_line_bytes_max: 4 << 10,
        }
    }
}
