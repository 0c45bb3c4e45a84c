//! The plugins of a running router: their lines, their figures, their versions, and how another one comes in.

pub(crate) mod intake;
pub(crate) mod lines;
pub(crate) mod token;
pub(crate) mod versions;

use std::sync::Arc;

use bus::Clock;
use bus::plugin::Host;
use tokio::sync::{mpsc, watch};

use crate::asked::{Asked, Intake};
use crate::config::Config;
use crate::metrics::Figures;
use crate::sent_rules::SentFolder;
use lines::Lines;
use token::{Token, TokenPlace};
use versions::Versions;

/// What requests take that change plugins or rules.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) lines: Arc<Lines>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) versions: Versions,
    pub(crate) intake: Intake,
    /// Where rules are kept that somebody has sent.
    pub(crate) sent: SentFolder,
    /// Knows what each plugin has done.
    pub(crate) host: Host,
    /// What lets somebody change plugins; none: nobody may.
    pub(crate) upload_token: Option<Token>,
    /// True when the router stops: answers that last end then.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Desk {
    /// The desk, and what it passes on to the reloader. The error says what to do about the configuration.
    pub(crate) fn open(
        config: &Config,
        clock: &Arc<dyn Clock>,
        host: &Host,
        stop: watch::Receiver<bool>,
    ) -> Result<(Self, mpsc::Receiver<Asked>), String> {
        let settings = &config.plugin;
        let (intake, asked) = Intake::new();
        let desk = Self {
            lines: Arc::new(Lines::new(Arc::clone(clock), settings.log_kept)),
            figures: Arc::default(),
            versions: Versions::new(&config.data_dir, settings.versions, settings.versions_bytes),
            intake,
            sent: SentFolder::of(config)?,
            host: host.clone(),
            upload_token: settings.upload_token.as_ref().map(TokenPlace::read).transpose()?,
            stop,
        };
        Ok((desk, asked))
    }
}
