//! `slipswitch plugin ls`.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Output};

/// Rules that are named in a table.
const RULES_SHOWN: usize = 1;
/// How much of a digest tells versions apart.
const DIGEST_CHARS: usize = 12;

const REFUSED: &str = "the file in the folder was refused: see `slipswitch status`";

const EXAMPLES: &str = "\
STATE is `ok`, `unused` (no rule names it), `broken` (it does not load), `refused` (this version runs, and another one in \
the folder was refused: `slipswitch status` says why), or `open` or `half-open`: it crashed or was over \
its limits so often that a rule gives its plugins nothing but probes. EVENTS, ERRORS and CPU count since it was there \
first, all its versions and the rules' tests together. ERROR is why it does not load, or its last crash or limit. With -o \
json there is more of all this.

Examples:
  slipswitch plugin ls
  # nobody uses these
  slipswitch plugin ls -o json | jq -r '.[] | select(.rules == []) | .name'";

/// List the plugins of a running router.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    name: String,
    version: Option<String>,
    role: Option<String>,
    digest: Option<String>,
    error: Option<String>,
    rules: Vec<String>,
    events: u64,
    errors: u64,
    cpu_ms: u64,
    last_fault: Option<String>,
    refused: bool,
    open_circuits: Vec<Circuit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Circuit {
    state: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let items: Vec<Box<RawValue>> = client.get("/api/v1/plugins", &[])?;
    let heads = [
        "PLUGIN", "VERSION", "ROLE", "DIGEST", "STATE", "EVENTS", "ERRORS", "CPU", "RULES", "ERROR",
    ];
    let row = |row: Row| {
        let refused = row.refused.then(|| REFUSED.to_owned());
        let (state, shown_rules, cpu) = (row.state(), rules(&row.rules), cpu(row.cpu_ms));
        [
            row.name,
            row.version.unwrap_or_default(),
            row.role.unwrap_or_default(),
            short(&row.digest.unwrap_or_default()),
            state,
            row.events.to_string(),
            row.errors.to_string(),
            cpu,
            shown_rules,
            row.error.or(refused).or(row.last_fault).unwrap_or_default(),
        ]
    };
    output::listing(arguments.output.format, &items, heads, row, "no plugins")
}

impl Row {
    fn state(&self) -> String {
        let circuits = || self.open_circuits.iter().map(|circuit| circuit.state.as_str());
        let state = if self.error.is_some() {
            "broken"
        } else if let Some(state) = circuits().find(|state| *state == "open").or(circuits().next())
        {
            state
        } else if self.refused {
            "refused"
        } else if self.rules.is_empty() {
            "unused"
        } else {
            "ok"
        };
        state.to_owned()
    }
}

/// The first one, and how many more there are.
fn rules(names: &[String]) -> String {
    let shown = names.get(..RULES_SHOWN).unwrap_or(names).join(", ");
    match names.len().saturating_sub(RULES_SHOWN) {
        0 => shown,
        more => format!("{shown} +{more}"),
    }
}

/// `740 ms`, `12.3 s`, `75 min`.
fn cpu(millis: u64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..600_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min", millis / 60_000),
    }
}

pub(super) fn short(digest: &str) -> String {
    digest.chars().take(DIGEST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_short() {
        let times = [0, 999, 1_000, 59_990, 600_000, 36_000_000].map(cpu);
        assert_eq!(times, ["0 ms", "999 ms", "1.0 s", "59.9 s", "10 min", "600 min"]);
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let shown = [0, 1, 2, 4].map(|end| rules(&names[..end]));
        assert_eq!(shown, ["", "a", "a +1", "a +3"]);
    }
}
