//! Matching under criterion, over some of the families: `cargo bench -p slipswitch-bench-match`.
//!
//! # Not here
//!
//! - Other engines and all families: `cargo xtask bench match`.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use slipswitch_bench_match::{Engine, Kind, find};

/// One of each shape, few enough for a short run.
const FAMILIES: [&str; 8] = [
    "city-exact",
    "city-all",
    "exact-1k",
    "mixed-1k",
    "every-1k",
    "wildcards-1k",
    "thresholds-1k",
    "arrays",
];

fn matching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.sample_size(20).throughput(Throughput::Elements(1));
    for spec in find(&FAMILIES.map(str::to_owned)).expect("the families are named as they are") {
        let family = spec.make();
        let (mut engine, _) =
            Engine::build(Kind::Slipswitch, &family).expect("ours takes them all");
        let mut events = family.events.iter().cycle();
        group.bench_function(spec.name, |bencher| {
            bencher.iter(|| engine.run(events.next().expect("a cycle has no end")));
        });
    }
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
