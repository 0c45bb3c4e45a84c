//! The host: one engine, its threads and its code, shared by all plugins.
//!
//! # Invariants
//!
//! - The same bytes are compiled once: code is found again by its digest, in memory or in the cache.
//! - Whoever holds a plugin holds the host; the last one ends its threads.

use std::collections::HashMap;
use std::io;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use std::thread::ScopedJoinHandle;

use wasmtime::Engine;

use crate::cache::Cache;
use crate::code::{self, Code, Linkers, Workshop};
use crate::idle::Idle;
use crate::imports::flow::Flow;
use crate::imports::metrics::Names;
use crate::instance::{Instance, InstantiateError};
use crate::queue::{Crew, Done, Queue, QueueOptions};
use crate::tally::Counters;
use crate::ticker::Ticker;
use crate::{CodeFrom, LoadError, Loading, Options, Plugin, Tally, clock, engine};

/// The engine and its threads. Cheap to clone; the threads end with the last handle.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    crew: Arc<Crew>,
}

/// What plugins need of their host.
pub(crate) struct Shared {
    engine: Engine,
    linkers: Linkers,
    cache: Option<Cache>,
    pub(crate) ticker: Ticker,
    pub(crate) options: Options,
    /// Code that somebody still uses, by digest: a reload of an unchanged file costs nothing.
    loaded: Mutex<HashMap<String, Weak<Code>>>,
    /// The figures of plugins that somebody still uses, by plugin: a new version goes on with the old one's.
    names: ByPlugin<Names>,
    /// The same of their lines.
    flows: ByPlugin<Flow>,
    /// And of what they have done.
    counters: ByPlugin<Counters>,
    /// Where idle instances can be taken away when slots run out.
    pools: Mutex<Vec<Weak<Idle>>>,
}

type ByPlugin<T> = Mutex<HashMap<Arc<str>, Weak<T>>>;

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(
        "start the WebAssembly engine: {problem}; where address space is limited, lower `instances_max`"
    )]
    Engine { problem: String },

    #[error("open the cache of compiled plugins {}: {source}", path.display())]
    Cache { path: PathBuf, source: io::Error },

    #[error("start the plugin threads: {0}")]
    Threads(io::Error),
}

impl Host {
    pub fn new(options: Options) -> Result<Self, HostError> {
        let problem = |error: wasmtime::Error| HostError::Engine { problem: format!("{error:#}") };
        let engine = engine::engine(&options).map_err(problem)?;
        let linkers = Linkers::new(&engine).map_err(problem)?;
        let cache = match &options.cache_dir {
            Some(dir) => Some(
                Cache::open(dir, &engine)
                    .map_err(|source| HostError::Cache { path: dir.clone(), source })?,
            ),
            None => None,
        };
        let ticker = Ticker::start(&engine, options.tick).map_err(HostError::Threads)?;
        let crew = Crew::start(options.workers).map_err(HostError::Threads)?;
        let shared = Arc::new(Shared {
            engine,
            linkers,
            cache,
            ticker,
            options,
            loaded: Mutex::default(),
            names: Mutex::default(),
            flows: Mutex::default(),
            counters: Mutex::default(),
            pools: Mutex::default(),
        });
        Ok(Self { shared, crew })
    }

    /// Loads a component or a core module, under the name that its log lines carry. Takes as long as a compilation
    /// takes, unless the same bytes were loaded before.
    pub fn load(&self, name: &str, file: &[u8]) -> Result<Plugin, LoadError> {
        let limit = self.shared.options.file_bytes_max;
        if file.len() > limit {
            return Err(LoadError::TooLarge { size: file.len(), limit });
        }
        let name: Arc<str> = name.into();
        let began = clock::monotonic();
        let digest = code::digest(file);
        let (code, from) = match self.shared.known(&digest) {
            Some(code) => (code, CodeFrom::Memory),
            None => self.shared.make(&name, file, digest)?,
        };
        let (names, flow) = (self.shared.names(&name), self.shared.flow(&name));
        let counters = of(&self.shared.counters, &name, Counters::default);
        let took = clock::monotonic().saturating_sub(began);
        let (loading, host) = (Loading { took, code: from }, Arc::clone(&self.shared));
        Ok(Plugin { name, code, names, flow, counters, host, loading })
    }

    /// Loads several files, on as many threads as plugins may run on: names and bytes, and what comes of each.
    pub fn load_all(&self, files: &[(&str, &[u8])]) -> Vec<Result<Plugin, LoadError>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let turn = || {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let (name, file) = files.get(place)?;
                Some((place, self.load(name, file)))
            };
            std::iter::from_fn(turn).collect::<Vec<_>>()
        };
        let threads = self.shared.options.workers.min(files.len());
        let mut loaded: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |thread: ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            threads.into_iter().flat_map(join).collect()
        });
        loaded.sort_by_key(|(place, _)| *place);
        loaded.into_iter().map(|(_, plugin)| plugin).collect()
    }

    /// What the plugin of this name has done; nothing when none is loaded.
    pub fn tally(&self, name: &str) -> Tally {
        let all = self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = all.get(name).and_then(Weak::upgrade);
        counters.map(|counters| counters.read()).unwrap_or_default()
    }

    /// A queue of jobs on the host's threads, which it shares with the other queues by the CPU time that each uses.
    /// `run` gets the jobs of a turn and says of each, in their order, what became of it: it does the first, and may leave
    /// others when the [turn is over](crate::turn_is_over). The name is for the log.
    pub fn queue<J: Send + 'static, R: Send + 'static>(
        &self,
        name: &str,
        options: QueueOptions,
        run: impl Fn(Vec<J>) -> Vec<Done<J, R>> + Send + Sync + 'static,
    ) -> Queue<J, R> {
        Queue::new(&self.crew, name, options, run)
    }
}

impl Shared {
    fn known(&self, digest: &str) -> Option<Arc<Code>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest)?.upgrade()
    }

    fn names(&self, plugin: &Arc<str>) -> Arc<Names> {
        let count_max = self.options.metric_names_max;
        of(&self.names, plugin, || Names::new(Arc::clone(plugin), count_max))
    }

    fn flow(&self, plugin: &Arc<str>) -> Arc<Flow> {
        of(&self.flows, plugin, || Flow::new(&self.options))
    }

    fn make(
        &self,
        name: &Arc<str>,
        file: &[u8],
        digest: String,
    ) -> Result<(Arc<Code>, CodeFrom), LoadError> {
        let Self { engine, linkers, cache, ticker, .. } = self;
        let cache = cache.as_ref();
        let workshop = Workshop { engine, linkers, cache, ticker, shared: self };
        let (code, from) = workshop.make(name, file, digest)?;
        let code = Arc::new(code);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, code| code.strong_count() > 0);
        loaded.insert(code.digest.clone(), Arc::downgrade(&code));
        Ok((code, from))
    }

    pub(crate) fn register(&self, idle: &Arc<Idle>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|idle| idle.strong_count() > 0);
        pools.push(Arc::downgrade(idle));
    }

    /// Makes an instance. When every slot is taken, the idle ones are given up and it tries once more.
    pub(crate) fn with_room(
        &self,
        make: impl Fn() -> Result<Instance, InstantiateError>,
    ) -> Result<Instance, InstantiateError> {
        match make() {
            Err(InstantiateError::Full) if self.evict() > 0 => make(),
            made => made,
        }
    }

    fn evict(&self) -> usize {
        let pools: Vec<_> = {
            let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.iter().filter_map(Weak::upgrade).collect()
        };
        pools.iter().map(|idle| idle.clear()).sum()
    }
}

/// What a plugin has of these, made when nobody has it any more.
fn of<T>(all: &ByPlugin<T>, plugin: &Arc<str>, make: impl FnOnce() -> T) -> Arc<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(one) = all.get(plugin).and_then(Weak::upgrade) {
        return one;
    }
    all.retain(|_, one| one.strong_count() > 0);
    let one = Arc::new(make());
    all.insert(Arc::clone(plugin), Arc::downgrade(&one));
    one
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
