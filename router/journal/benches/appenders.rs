//! How many appends a second are acknowledged, one record each, from 64 and 512 tasks at a time.
//!
//! `cargo bench -p slipswitch-journal [-- FOLDER]`: the folder decides which disk is measured.

#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "it prints what it has measured")]

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use slipswitch_journal::{Journal, Options};
use tokio::task::JoinSet;

const LASTS: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
const PAYLOAD: usize = 300;

fn main() {
    let folder = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let folder = folder.map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for appenders in [1, 64, 512] {
        let mut rates: Vec<Rate> =
            (0..ROUNDS).map(|_| runtime.block_on(measure(&folder, appenders))).collect();
        rates.sort_by(|one, two| one.appends.total_cmp(&two.appends));
        let Rate { appends, groups, p50, p99, cpu } = rates.swap_remove(ROUNDS / 2);
        println!(
            "{appenders:>4} appenders: {appends:>8.0} appends/s in {groups:>6.0} groups/s, p50 {p50:?}, p99 {p99:?}, {cpu:.1} µs of processor each"
        );
    }
}

struct Rate {
    appends: f64,
    groups: f64,
    p50: Duration,
    p99: Duration,
    /// Microseconds of processor time that an append took, of all threads.
    cpu: f64,
}

/// The processor time of this process in ticks of 10 ms.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

async fn measure(folder: &std::path::Path, appenders: usize) -> Rate {
    let dir = tempfile::tempdir_in(folder).expect("a folder");
    let (journal, _) = Journal::open(Options::new(dir.path())).expect("it opens");
    journal.append("bench", vec![Bytes::from_static(b"first")], 0).await.expect("it is synced");
    let ticks = cpu_ticks();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..appenders {
        let journal = journal.clone();
        tasks.spawn(async move {
            let payload = Bytes::from(vec![b'x'; PAYLOAD]);
            let mut latencies = Vec::new();
            while start.elapsed() < LASTS {
                let begun = Instant::now();
                journal.append("bench", vec![payload.clone()], 0).await.expect("it is synced");
                latencies.push(begun.elapsed());
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = tasks.join_all().await.concat();
    let took = start.elapsed().as_secs_f64();
    let ticks = cpu_ticks() - ticks;
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    let per_second = |count: f64| count / took;
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    Rate {
        appends: per_second(latencies.len() as f64),
        groups: per_second(journal.stats().groups as f64),
        p50: at(50),
        p99: at(99),
        cpu: ticks as f64 * 10_000.0 / latencies.len() as f64,
    }
}
