//! Matching under criterion, over some of the families: `cargo bench -p slipswitch-bench-match`.
//!
//! # Not here
//!
//! - Other engines and all families: `cargo xtask bench match`.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use slipswitch_bench_match::{Engine, Kind, find, processor};

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

/// The processor time of this thread, which busy neighbours do not add to. Shown as wall time is.
struct ProcessorTime(WallTime);

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        processor()
    }

    fn end(&self, started: Duration) -> Duration {
        processor().saturating_sub(started)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        self.0.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

fn matching(criterion: &mut Criterion<ProcessorTime>) {
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

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime(WallTime));
    targets = matching
}
criterion_main!(benches);
