//! `slipswitch journal repair`.

use clap::Args;
use server::offline::journal::{Data, Verification};

use super::{Place, failure};
use crate::{
    consent,
    failure::{Exit, Failure},
    output::{self, flat},
    progress::Progress,
};

const EXAMPLES: &str = "\
Nothing is deleted: what is damaged is copied into a folder `damaged` beside it before anything else takes its place. \
What cannot be read is taken from where else it stands (the hot journal, an archive, the bus of an archive); what stands \
nowhere else is lost to this router: restore the file from a copy instead if there is one. It says what is wrong and \
asks; where nobody can be asked, nothing is changed without --yes.

Examples:
  slipswitch journal repair --data /var/lib/slipswitch
  slipswitch journal repair --data /var/lib/slipswitch --yes";

/// Set damaged files aside, keep what is whole in them, and say what is lost.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let data = arguments.place.open()?;
    if !arguments.yes && !is_wanted(&data)? {
        return Ok(());
    }
    let done = {
        let _working = Progress::begin("repairing the journal");
        data.repair().map_err(failure)?
    };
    for action in &done.actions {
        output::line(&flat(action))?;
    }
    for lost in &done.lost {
        output::line(&format!("lost: {}", flat(&lost.to_string())))?;
    }
    let left = verified(&data)?;
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

/// Says what is wrong, and asks. False when nothing is.
fn is_wanted(data: &Data) -> Result<bool, Failure> {
    let found = verified(data)?;
    for fault in &found.faults {
        output::line(&flat(&fault.to_string()))?;
    }
    if found.faults_count == 0 {
        output::line("nothing to repair")?;
        return Ok(false);
    }
    if found.faults_count == data.state_faults().len() as u64 {
        return Err(Failure::silent(Exit::Failed));
    }
    let faults = output::counted(found.faults_count, "fault");
    let question = format!("Repair {faults}? What is damaged is copied aside first.");
    consent::ask(&question, "nothing was changed; give --yes to repair this")?;
    Ok(true)
}

fn verified(data: &Data) -> Result<Verification, Failure> {
    let _working = Progress::begin("reading the journal");
    data.verify().map_err(failure)
}
