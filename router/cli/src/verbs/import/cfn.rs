//! `slipswitch import cfn`: the rules of a template.

use std::path::PathBuf;

use clap::Args;
use server::offline::import;

use super::{Shared, read};
use crate::failure::Failure;

const EXAMPLES: &str = "\
Parameters have their defaults unless --param says otherwise. It also gives values to pseudo parameters, to what \
another stack exports, and to attributes of resources. The exit code is 1 when anything was left behind.

Examples:
  slipswitch import cfn template.yaml
  slipswitch import cfn template.yaml --param Stage=prod \\
      --param AWS::Region=eu-west-1 --map targets.yaml --out rules
  slipswitch import cfn template.yaml \\
      --param Worker.Arn=arn:aws:lambda:eu-west-1:111122223333:function:worker";

/// Make rule files of a CloudFormation or SAM template
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The template, YAML or JSON; `-` is standard input
    #[arg(value_name = "TEMPLATE")]
    template: PathBuf,
    /// A parameter's value
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    #[command(flatten)]
    shared: Shared,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as Stage=prod".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let template = read(&arguments.template)?;
    let mut known = arguments.shared.known()?;
    known.parameters = arguments.parameters.iter().cloned().collect();
    let report = import::import_cfn(&template, &known);
    arguments.shared.finish(&report.map_err(|error| Failure::failed(error.to_string()))?)
}
