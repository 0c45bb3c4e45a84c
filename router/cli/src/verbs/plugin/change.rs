//! `slipswitch plugin put`, `rm` and `rollback`: another version in service, or none.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Address, Client, escaped};
use crate::consent;
use crate::failure::Failure;
use crate::output;

use super::ls::short;
use super::stale::stale;

const PUT_EXAMPLES: &str = "\
The router tries the file with the rules that run: it must load, its configurations must be taken and the rules' tests \
must pass. Then it is put into the folder of plugins and is in service before this command ends; else nothing changes and \
what is wrong is shown. The token is that of the router's plugin.upload_token; it is read from SLIPSWITCH_TOKEN.

Examples:
  SLIPSWITCH_TOKEN=$(cat token) slipswitch plugin put my-plugin.wasm
  slipswitch plugin put target/wasm32-unknown-unknown/release/my_plugin.wasm \\
      --name my-plugin";

const ROLLBACK_EXAMPLES: &str = "\
The earlier file goes through the same trial as a new one. The token is read from SLIPSWITCH_TOKEN.

Examples:
  slipswitch plugin rollback my-plugin  to the version before this one
  slipswitch plugin versions my-plugin
  slipswitch plugin rollback my-plugin 4cabfd7c";

/// Upload a plugin into a running router, which takes it into service or refuses it.
#[derive(Debug, Args)]
#[command(after_help = PUT_EXAMPLES)]
pub(crate) struct PutArguments {
    /// The plugin, a .wasm file
    file: PathBuf,
    /// What rules call it [default: the file's name without .wasm]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    address: Address,
}

/// Remove a plugin that no rule uses.
#[derive(Debug, Args)]
pub(crate) struct RmArguments {
    /// Its name, as `slipswitch plugin ls` shows it
    name: String,
    /// Do it without asking; a script is not asked
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    address: Address,
}

/// Put an earlier version of a plugin into service.
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK_EXAMPLES)]
pub(crate) struct RollbackArguments {
    /// Its name, as `slipswitch plugin ls` shows it
    name: String,
    /// The version's digest, or its beginning [default: the version before this one]
    digest: Option<String>,
    #[command(flatten)]
    address: Address,
}

#[derive(Deserialize)]
struct Done {
    name: String,
    version: Option<String>,
    digest: Option<String>,
    generation: u64,
    changed: bool,
    /// None from an older router.
    rules: Option<Vec<String>>,
}

pub(crate) fn put(arguments: &PutArguments) -> Result<(), Failure> {
    let PutArguments { file, name, address } = arguments;
    let shown = file.display();
    let name = match name {
        Some(name) => name.clone(),
        None => file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let bytes =
        std::fs::read(file).map_err(|error| Failure::usage(format!("read {shown}: {error}")))?;
    if let Some(words) = stale(file) {
        output::complain(&words);
    }
    let client = Client::new(address)?.with_token();
    let done: Done = client.put(&format!("/api/v1/plugins/{}", escaped(&name)), bytes)?;
    tell(&done)
}

pub(crate) fn rm(arguments: &RmArguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?.with_token();
    if !arguments.yes {
        let name = output::flat(&arguments.name);
        consent::ask_somebody(&format!("Remove the plugin `{name}` from the router's folder?"))?;
    }
    client.delete(&format!("/api/v1/plugins/{}", escaped(&arguments.name)))?;
    Ok(output::line(&output::flat(&format!("{}: removed", arguments.name)))?)
}

pub(crate) fn rollback(arguments: &RollbackArguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?.with_token();
    let path = format!("/api/v1/plugins/{}/rollback", escaped(&arguments.name));
    let body = match &arguments.digest {
        Some(digest) => json!({ "digest": digest }),
        None => json!({}),
    };
    tell(&client.work(&path, &body)?)
}

fn tell(done: &Done) -> Result<(), Failure> {
    let version = done.version.as_deref().unwrap_or_default();
    let digest = short(done.digest.as_deref().unwrap_or_default());
    let (name, generation) = (&done.name, done.generation);
    let is_unused = done.rules.as_ref().is_some_and(Vec::is_empty);
    let how = match (is_unused, done.changed) {
        (true, _) => "loaded, and no rule uses it yet",
        (false, true) => "in service",
        (false, false) => "was in service already",
    };
    let words = format!("{name} {version} ({digest}): {how}, generation {generation}");
    Ok(output::line(&output::flat(&words))?)
}
