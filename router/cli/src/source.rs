//! Where the router's parts are on disk: the options that `serve`, `dev`, `check` and `test` share.

use std::path::PathBuf;

use clap::Args;

/// Rule files and plugins.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The folder of rule files [default: the configuration file's, else rules]
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    /// The folder of plugins, *.wasm [default: the configuration file's, else plugins]
    #[arg(long, value_name = "DIR")]
    pub(crate) plugins: Option<PathBuf>,
    /// The configuration file [default: slipswitch.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
