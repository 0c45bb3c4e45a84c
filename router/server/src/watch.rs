//! Watching the folders, and replacing the rules when they change.
//!
//! ```text
//! notify ──┐
//! poll   ──┼─▶ quiet? ─▶ read and hash ─▶ different? ─▶ compile, test ─▶ swap, or keep the old and say why
//! SIGHUP ──┘                                (SIGHUP: always)
//! ```
//!
//! The system's notifications are quick and not to be relied on (single mounted files, ConfigMap links, network
//! folders); the poll is slow and sure.
//!
//! # Invariants
//!
//! - **old rules beat bad rules**: nothing is swapped in that did not compile or failed its tests.
//! - A reload waits for no delivery, and no delivery for a reload: it runs on a thread of its own.
//! - The same broken content is reported once.

mod sent;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::ruleset::RuleSet;
use bus::{Clock, PluginFile, PluginStatus, Router, Shelf, SwapError};
use event::Timestamp;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

use crate::asked::{Asked, ReloadError, Reloaded};
use crate::config;
use crate::connections::Keeper;
use crate::folder::{Content, FolderError, Folders};
use crate::health::Health;
use crate::http::App;
use crate::load::{Compiled, Outcome, Rejection, Running, Source, Texts};
use crate::owed::{Owed, Removed};
use crate::plugins::intake::{self, Change, Refusal, Taken, Tried};
use crate::plugins::lines::Lines;
use crate::plugins::versions::Versions;
use crate::reload::{Board, LastError};
use crate::values::{self, Digests};

/// How many quiet times in a row may be disturbed before the folders are read all the same.
const DISTURBED_MAX: usize = 10;
/// Folders that change while they are read are read again, so often at most.
const READS_MAX: usize = 5;
/// Every so many polls compare what the files hold, whatever their times and sizes say: some file systems keep
/// times too coarse to tell two writes apart, and some report old ones.
const POLLS_PER_HASH: u32 = 15;

/// What was found in the folders the last time somebody looked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) stamp: u64,
    pub(crate) digest: [u8; 32],
    pub(crate) values_from: Digests,
}

/// What one look at the folders found.
pub(crate) struct Look {
    pub(crate) seen: Seen,
    /// `None` when it is what was seen before.
    pub(crate) outcome: Option<Result<Compiled, Rejection>>,
}

/// Reads the folders, and loads the rules if something differs from `before`; without `before`, in any case.
pub(crate) fn look(source: &Source, running: Running<'_>, before: Option<&Seen>) -> Look {
    let values_from = before.map_or_else(Digests::new, |before| before.values_from.clone());
    let (stamp, read) = read(source, &values_from);
    let digest = match &read {
        Ok(content) => content.digest,
        Err(error) => Sha256::digest(error.to_string()).into(),
    };
    let is_same = before.is_some_and(|before| before.digest == digest);
    if is_same && values::are_unchanged(&values_from) {
        return Look { seen: Seen { stamp, digest, values_from }, outcome: None };
    }
    match read {
        Ok(content) => {
            let Outcome { compiled, values_from } = source.load(content, running);
            Look { seen: Seen { stamp, digest, values_from }, outcome: Some(compiled) }
        }
        Err(error) => {
            let rejection = Rejection::folder(&error);
            Look { seen: Seen { stamp, digest, values_from }, outcome: Some(Err(rejection)) }
        }
    }
}

/// The folders as they are at one moment: what a swap of links puts there at once is never read half and half. The
/// stamp comes before the reading, so that a change after it is seen by the next look.
fn read(source: &Source, values_from: &Digests) -> (u64, Result<Content, FolderError>) {
    let mut stamp = source.folders.stamp(values_from.keys());
    for _ in 1..READS_MAX {
        let read = source.folders.read();
        let after = source.folders.stamp(values_from.keys());
        if after == stamp {
            return (stamp, read);
        }
        stamp = after;
    }
    (stamp, source.folders.read())
}

/// Replaces the rules of a router when what they are made of changes.
pub(crate) struct Reloader {
    pub(crate) source: Source,
    pub(crate) router: Router,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The plugins of the running rules.
    pub(crate) shelf: Option<Arc<Shelf>>,
    /// The rule files of the running rules.
    pub(crate) texts: Option<Texts>,
    /// The files of the plugins that run and that nobody has taken down yet.
    pub(crate) files: Arc<Vec<PluginFile>>,
    pub(crate) seen: Seen,
    /// The digest of what runs: of what was seen, unless that was rejected or could not be swapped in.
    pub(crate) in_service: Option<[u8; 32]>,
    pub(crate) versions: Versions,
    /// Reads the secrets of connections again.
    pub(crate) keeper: Keeper,
    pub(crate) lines: Arc<Lines>,
    /// What is compiled beside them has their plugins.
    pub(crate) app: Arc<App>,
    /// What somebody sends, or wants now.
    pub(crate) asked: mpsc::Receiver<Asked>,
    /// Listening before the router is announced: until then a SIGHUP ends the process.
    pub(crate) hangups: Hangups,
}

/// What made the reloader look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Notified,
    Polled,
    /// By SIGHUP: load what is there, the same or not, so that nothing that a stamp could miss is left out.
    Asked,
}

/// A new generation runs.
struct Swapped {
    generation: u64,
    /// What lost its rule by it, and is owed something.
    removed: Vec<Owed>,
}

impl Reloader {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self, settings: config::Reload, mut stop: watch::Receiver<bool>) {
        let (tell, mut changes) = mpsc::channel(1);
        let mut eyes = Eyes::open(&self.source.folders, &tell);
        let first = tokio::time::Instant::now() + settings.poll;
        let mut poll = tokio::time::interval_at(first, settings.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut health = Health::default();
        let mut polls_to_hash = POLLS_PER_HASH;
        let (versions, sent) = (self.versions.clone(), self.source.folders.sent.clone());
        let sweeping =
            tokio::task::spawn_blocking(move || sent.sweep().and_then(|()| versions.sweep()));
        if let Err(error) = sweeping.await.expect("a panic ends the process") {
            warn!(%error, "the versions of plugins and what was sent are not tidied up");
        }
        let files = std::mem::take(&mut self.files);
        self.note(self.board.read().plugins, files).await;
        loop {
            let cause = tokio::select! {
                _ = stop.changed() => return,
                Some(()) = changes.recv() => Cause::Notified,
                () = self.hangups.next() => Cause::Asked,
                Some(asked) = self.asked.recv() => {
                    self.read_secrets().await;
                    self.answer(asked).await;
                    continue;
                }
                _ = poll.tick() => Cause::Polled,
            };
            health.look(self.router.ready()).tell();
            self.read_secrets().await;
            let is_new = cause != Cause::Polled || self.has_new_stamp().await;
            if is_new && cause != Cause::Asked {
                quiet(&mut changes, settings.debounce).await;
            }
            polls_to_hash = polls_to_hash.saturating_sub(1);
            if is_new || polls_to_hash == 0 {
                // What was written while we read may have the times of what was read: the next poll compares.
                polls_to_hash = if is_new { 1 } else { POLLS_PER_HASH };
                // What goes wrong is logged and on the board.
                drop(self.turn(cause).await);
            }
            // A folder that came back is another one; the old eyes look at what is gone.
            if is_new || !eyes.are_open() {
                eyes = Eyes::open(&self.source.folders, &tell);
            }
        }
    }

    /// Takes secrets that have changed into use.
    async fn read_secrets(&mut self) {
        let keeper = self.keeper.clone();
        let reading = tokio::task::spawn_blocking(move || keeper.refresh());
        self.keeper = reading.await.expect("a panic ends the process");
    }

    /// Looks, and does what follows from it. None when nothing had changed.
    async fn turn(&mut self, cause: Cause) -> Option<Result<Reloaded, ReloadError>> {
        let (source, before) = (self.source.clone(), self.seen.clone());
        let (rules, shelf, texts) = self.running();
        let looking = tokio::task::spawn_blocking(move || {
            let (shelf, texts) = (shelf.as_deref(), texts.as_ref());
            let running = Running { rules: Some(&rules), shelf, texts };
            match cause {
                Cause::Polled | Cause::Notified => look(&source, running, Some(&before)),
                Cause::Asked => look(&source, running, None),
            }
        });
        let Look { seen, outcome } = looking.await.expect("a panic ends the process");
        let digest = seen.digest;
        self.seen = seen;
        match outcome {
            None => {
                debug!("folders looked at, content unchanged");
                None
            }
            Some(Ok(compiled)) => {
                let is_new = self.in_service != Some(digest);
                let (rules, files, tests) =
                    (compiled.rules.rules().len(), compiled.files, compiled.tests);
                let swapped = self.swap(compiled, Some(digest)).await;
                let reloaded = swapped.map(|Swapped { generation, removed }| Reloaded {
                    generation,
                    is_new,
                    rules,
                    files,
                    tests,
                    removed,
                });
                Some(reloaded.map_err(ReloadError::NotSwapped))
            }
            Some(Err(rejection)) => {
                self.reject(&rejection);
                Some(Err(ReloadError::Rejected(rejection)))
            }
        }
    }

    async fn has_new_stamp(&self) -> bool {
        let (folders, before) = (self.source.folders.clone(), self.seen.clone());
        let looking = tokio::task::spawn_blocking(move || {
            folders.stamp(before.values_from.keys()) != before.stamp
        });
        looking.await.expect("a panic ends the process")
    }

    async fn answer(&mut self, asked: Asked) {
        // Where nobody waits any more, what was done stays done.
        match asked {
            Asked::Plugin { change, answer } => drop(answer.send(self.change(change).await)),
            Asked::Rule { rule, change, answer } => {
                drop(answer.send(self.change_rule(rule, change).await));
            }
            Asked::Reload { answer } => {
                let turned = self.turn(Cause::Asked).await;
                drop(answer.send(turned.expect("a look without a before has an outcome")));
            }
        }
    }

    /// Tries a change of the plugins, and takes it into service.
    async fn change(&mut self, change: Change) -> Result<Taken, Refusal> {
        let source = self.source.clone();
        let (rules, shelf, texts) = self.running();
        let trying = tokio::task::spawn_blocking(move || {
            let (shelf, texts) = (shelf.as_deref(), texts.as_ref());
            let running = Running { rules: Some(&rules), shelf, texts };
            intake::try_change(&source, running, change)
        });
        let taken = match trying.await.expect("a panic ends the process") {
            Ok(tried) => self.take(tried).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = &taken {
            info!(%refusal, "change of a plugin refused");
        }
        taken
    }

    async fn take(&mut self, tried: Tried) -> Result<Taken, Refusal> {
        let Tried { version, digest, seen, .. } = &tried;
        let (version, digest) = (version.clone(), digest.clone());
        let is_in_service = match &tried.broken {
            None => self.in_service == Some(seen.digest) && self.seen.digest == seen.digest,
            Some(_) => digest.is_some() && self.digest_of(&tried.name) == digest,
        };
        if is_in_service {
            let generation = self.board.read().generation.number;
            return Ok(Taken { version, digest, generation, is_new: false });
        }
        let (seen, compiled) = (seen.clone(), tried.compiled.clone());
        let in_service = tried.broken.is_none().then_some(seen.digest);
        match self.swap(compiled, in_service).await {
            Ok(Swapped { generation, .. }) => {
                self.seen = seen;
                if let Some(rejection) = &tried.broken {
                    self.reject(rejection);
                }
                Ok(Taken { version, digest, generation, is_new: true })
            }
            Err(reason) => {
                let undoing = tokio::task::spawn_blocking(move || tried.undo());
                undoing.await.expect("a panic ends the process")?;
                Err(Refusal::NotSwapped(reason))
            }
        }
    }

    /// What the next rules are compared with, for another thread.
    fn running(&self) -> (Arc<RuleSet>, Option<Arc<Shelf>>, Option<Texts>) {
        (self.router.rules(), self.shelf.clone(), self.texts.clone())
    }

    /// The digest of the plugin of this name that runs.
    fn digest_of(&self, name: &str) -> Option<String> {
        let plugins = self.board.read().plugins;
        plugins.into_iter().find(|plugin| plugin.name == name)?.digest
    }

    /// Keeps the versions that are in service now.
    async fn note(&self, plugins: Vec<PluginStatus>, files: Arc<Vec<PluginFile>>) {
        self.lines.retain(|name| plugins.iter().any(|plugin| plugin.name == name));
        let (versions, now) = (self.versions.clone(), self.clock.now());
        let noting = tokio::task::spawn_blocking(move || versions.note(&plugins, &files, now));
        noting.await.expect("a panic ends the process");
    }

    /// The new generation, or why the old one stays.
    async fn swap(
        &mut self,
        compiled: Compiled,
        in_service: Option<[u8; 32]>,
    ) -> Result<Swapped, String> {
        let warnings = compiled.warnings();
        let Compiled { rules, shelf, plugins, texts, .. } = compiled;
        let (digest, count) = (rules.digest().to_owned(), rules.rules().len());
        let removed = Removed::now(&self.router);
        if let Err(error) = self.router.swap(rules).await {
            let message = error.to_string();
            let rendered = message.clone();
            let at = self.clock.now();
            let (diagnostics, plugins) = (Vec::new(), BTreeMap::new());
            self.board.rejected(LastError { at, message, diagnostics, rendered, plugins });
            if let SwapError::State(_) = error {
                // The rules are good: the next poll tries again.
                self.seen = Seen { stamp: 0, digest: [0; 32], values_from: Digests::new() };
            }
            error!(%error, "rules not swapped, the old ones stay");
            return Err(error.to_string());
        }
        let listing = shelf.listing();
        let generation = self.board.swapped(&digest, count, listing.clone(), self.clock.now());
        self.app.trial.runs_with(Some(Arc::clone(&shelf)));
        (self.shelf, self.texts, self.in_service) = (Some(shelf), Some(texts), in_service);
        info!(generation, rules = count, "rules swapped");
        tell(&warnings);
        let removed = removed.since(&self.router);
        removed.iter().for_each(Owed::tell);
        self.note(listing, plugins).await;
        Ok(Swapped { generation, removed })
    }

    fn reject(&self, rejection: &Rejection) {
        let generation = reject(&self.board, rejection, self.clock.now());
        let problems = format_args!("\n{}", rejection.render(false));
        error!(generation, %problems, "rules rejected, the old ones stay");
    }
}

/// Logs what is odd about rules that run.
pub(crate) fn tell(warnings: &str) {
    if !warnings.is_empty() {
        let warnings = format_args!("\n{warnings}");
        warn!(%warnings, "the rules run, and are hardly all meant as they are");
    }
}

/// Puts a rejection on the board; returns the generation that stays.
pub(crate) fn reject(board: &Board, rejection: &Rejection, at: Timestamp) -> u64 {
    board.rejected(LastError {
        at,
        message: rejection.message.clone(),
        diagnostics: rejection.diagnostics.clone(),
        rendered: rejection.render(false),
        plugins: rejection.plugins.clone(),
    })
}

/// Waits until no change was told for a while: editors and copies write in several steps.
async fn quiet(changes: &mut mpsc::Receiver<()>, debounce: Duration) {
    for _ in 0..DISTURBED_MAX {
        match tokio::time::timeout(debounce, changes.recv()).await {
            Ok(Some(())) => (),
            Ok(None) | Err(_) => return,
        }
    }
}

/// The system's notifications, as far as they are to be had.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
}

impl Eyes {
    fn open(folders: &Folders, tell: &mpsc::Sender<()>) -> Self {
        let tell = tell.clone();
        let told = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                // Full means that a look is due already.
                tell.try_send(()).unwrap_or(());
            }
        };
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            watcher.watch(&folders.rules, RecursiveMode::Recursive)?;
            if folders.plugins.is_dir() {
                watcher.watch(&folders.plugins, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => Self { watcher: Some(watcher) },
            Err(error) => {
                debug!(%error, "the system reports no changes of the folders, polling goes on");
                Self { watcher: None }
            }
        }
    }

    fn are_open(&self) -> bool {
        self.watcher.is_some()
    }
}

/// Reading is reported too, and we read: only what may have changed a file counts.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// SIGHUP, as far as the system has it.
pub(crate) struct Hangups(Option<Signal>);

impl Hangups {
    pub(crate) fn listen() -> Self {
        match signal(SignalKind::hangup()) {
            Ok(signal) => Self(Some(signal)),
            Err(error) => {
                warn!(%error, "SIGHUP will not reload the rules");
                Self(None)
            }
        }
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}
