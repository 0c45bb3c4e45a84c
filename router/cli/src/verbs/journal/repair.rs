//! `slipswitch journal repair`.

use clap::Args;

use super::{Place, failure};
use crate::{
    failure::{Exit, Failure},
    output::{self, flat},
};

const EXAMPLES: &str = "\
Nothing is deleted: what is damaged is copied into a folder `damaged` beside it before anything else takes its place. \
What cannot be read is taken from where else it stands (the hot journal, an archive, the bus of an archive); what stands \
nowhere else is lost to this router: restore the file from a copy instead if there is one. Without --yes it only says \
what is wrong.

Examples:
  slipswitch journal repair --data /var/lib/slipswitch
  slipswitch journal repair --data /var/lib/slipswitch --yes";

/// Set damaged files aside, keep what is whole in them, and say what is lost.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Do it
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let data = arguments.place.open()?;
    if !arguments.yes {
        let found = data.verify().map_err(failure)?;
        for fault in &found.faults {
            output::line(&flat(&fault.to_string()))?;
        }
        if found.faults_count == 0 {
            return Ok(output::line("nothing to repair")?);
        }
        if found.faults_count == data.state_faults().len() as u64 {
            return Err(Failure::silent(Exit::Failed));
        }
        return Err(Failure::usage("nothing was changed; give --yes to repair this"));
    }
    let done = data.repair().map_err(failure)?;
    for action in &done.actions {
        output::line(&flat(action))?;
    }
    for lost in &done.lost {
        output::line(&format!("lost: {}", flat(&lost.to_string())))?;
    }
    let left = data.verify().map_err(failure)?;
    for fault in &left.faults {
        output::complain(&format!("not repaired: {}", flat(&fault.to_string())));
    }
    if left.faults_count != 0 {
        return Err(Failure::silent(Exit::Failed));
    }
    if done.actions.is_empty() {
        output::line("nothing to repair")?;
    }
    Ok(())
}
