//! Running a plugin on events, and what that costs.
//!
//! # Invariants
//!
//! - Time is that of a call as a router makes it; instructions are counted beside it, on an engine of their own, for
//!   counting slows a plugin down.
//! - One event is held at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::plugin::{
    CallError, ConfigureError, Configured, Grant, Grants, Host, LineSink, Options, Output, Role,
    Setup, Spent, measured,
};

use super::cases::envelope_of;
use super::judge::word;
use super::pretend::{Lines, State, call};
use super::{PluginError, host, layout, load, read};

/// A plugin that is ready for events.
pub struct PluginRun {
    plain: Configured,
    counting: Configured,
    /// Each has its own, so that both see the same.
    states: [State; 2],
    lines: Lines,
    role: Role,
}

/// What became of one event.
#[derive(Debug)]
pub struct RanEvent {
    pub detail_type: String,
    /// JSON, one line for each; a text or an output with attributes is `{"body": …, "attributes": {…}}`.
    pub outputs: Vec<String>,
    /// The kind of the error, as cases call it, and its words.
    pub error: Option<(&'static str, String)>,
    /// What it logged, with the level before it.
    pub lines: Vec<String>,
    pub cpu: Duration,
    /// None of a call that was cut off: it would say when the clock ran out, and not what the call takes.
    pub instructions: Option<u64>,
    pub memory_bytes: usize,
}

impl PluginRun {
    /// Loads the plugin with a configuration and what it is granted.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no plugin, or refuses the configuration, and when there is no such grant.
    pub fn start(path: &Path, config: &str, grants: &[String]) -> Result<Self, PluginError> {
        let grants = grants.iter().map(|name| name.parse::<Grant>());
        let grants: Result<Grants, _> = grants.collect();
        let grants = grants.map_err(|error| PluginError::NothingThere(error.to_string()))?;
        let file = read(path)?;
        let lines = Lines::default();
        let configured = |host: &Host, lines: Option<Arc<dyn LineSink>>| {
            let plugin = load(host, path, &file)?;
            let setup = Setup { grants, lines, ..Setup::default() };
            let configured = plugin.configure(config, setup).map_err(|error| {
                let problem = match error {
                    ConfigureError::NotGranted { missing, imports } => {
                        let all = Grant::listed(&imports).replace(' ', "");
                        format!(
                            "it asks for {}: allow it with --grant {all}",
                            Grant::quoted(&missing)
                        )
                    }
                    error => {
                        let mend = format!("`slipswitch plugin inspect {}`", path.display());
                        format!("refuses its configuration: {error}; {mend} shows what it takes")
                    }
                };
                PluginError::Configuration { path: path.to_owned(), problem }
            });
            Ok::<_, PluginError>((configured?, plugin.role()))
        };
        let (plain, role) = configured(&host(Options::default())?, Some(Arc::new(lines.clone())))?;
        let counted = Options { count_instructions: true, ..Options::default() };
        let (counting, _) = configured(&host(counted)?, None)?;
        Ok(Self { plain, counting, states: Default::default(), lines, role })
    }

    /// Sends an event (JSON) through the plugin; what the event leaves out is filled in as in a case.
    ///
    /// # Errors
    ///
    /// In words, when it is no event.
    pub fn call(&self, event: &str) -> Result<RanEvent, String> {
        let event = envelope_of(event)?;
        let [state, counting_state] = &self.states;
        let (came, Spent { cpu, .. }) = measured(|| call(&self.plain, &event, &[], state));
        let (again, Spent { instructions, memory_bytes, .. }) =
            measured(|| call(&self.counting, &event, &[], counting_state));
        let is_cut_off =
            |came: &Result<_, CallError>| matches!(came, Err(CallError::Deadline { .. }));
        let instructions = instructions.filter(|_| !is_cut_off(&came) && !is_cut_off(&again));
        let (outputs, error) = match came {
            Ok(outputs) => (outputs.iter().map(|output| self.shown(output)).collect(), None),
            Err(error) => (Vec::new(), Some((word(&error), error.to_string()))),
        };
        let mut lines = self.lines.take();
        // A router's log tells of it, too; here it is told beside.
        if let (Some(line), Some((_, words))) = (lines.last(), &error)
            && line.ends_with(words.as_str())
        {
            lines.pop();
        }
        Ok(RanEvent {
            detail_type: event.detail_type().to_owned(),
            outputs,
            error,
            lines,
            cpu,
            instructions,
            memory_bytes,
        })
    }

    fn shown(&self, output: &Output) -> String {
        // A filter's is the event itself: nobody takes it for an output with attributes.
        let is_event = self.role == Role::Filter;
        layout::one_line(&if is_event { output.body.clone() } else { layout::output(output) })
    }
}
