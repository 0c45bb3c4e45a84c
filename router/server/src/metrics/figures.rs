//! What plugins count and observe, under their names.
//!
//! # Invariants
//!
//! - **bounded**: so many plugins, so many names of each, whatever versions of it came and went; what is over is left
//!   out and said once.
//! - Plugins meet at a lock of their own; a scrape holds it while it writes that plugin's lines, no longer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bus::plugin::MetricSink;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use tracing::warn;

use super::name;

/// Plugins with figures since the start; further ones have none.
const PLUGINS_MAX: usize = 256;
/// Counters and histograms of one plugin. The host lets a plugin use as many; this also holds when all of it was
/// unloaded and another version came, of which the host counts anew.
const NAMES_MAX: usize = 100;

/// Upper bounds of the buckets. What is observed may be seconds, bytes or money, so they are few and reach far.
#[rustfmt::skip]
const BOUNDS: [f64; 21] = [
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0,
    100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6,
    1e7,
];

/// The figures of all plugins.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    plugins: RwLock<BTreeMap<String, Arc<Mutex<Own>>>>,
    is_full_said: AtomicBool,
}

/// The figures of one plugin.
#[derive(Debug, Default)]
struct Own {
    counters: BTreeMap<String, u64>,
    histograms: BTreeMap<String, Observed>,
    is_full_said: bool,
}

#[derive(Debug, Default)]
struct Observed {
    sum: f64,
    count: u64,
    /// By bound; the last one is for what is above all.
    buckets: [u64; BOUNDS.len() + 1],
}

impl Figures {
    fn own(&self, plugin: &str) -> Option<Arc<Mutex<Own>>> {
        let known = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = known.get(plugin) {
            return Some(Arc::clone(own));
        }
        drop(known);
        let mut known = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < PLUGINS_MAX || known.contains_key(plugin) {
            return Some(Arc::clone(known.entry(plugin.to_owned()).or_default()));
        }
        drop(known);
        if !self.is_full_said.swap(true, Ordering::Relaxed) {
            warn!(plugin, plugins_max = PLUGINS_MAX, "too many plugins have metrics, left out");
        }
        None
    }

    /// Each plugin by name.
    fn all(&self) -> Vec<(String, Arc<Mutex<Own>>)> {
        let known = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(plugin, own)| (plugin.clone(), Arc::clone(own))).collect()
    }
}

impl MetricSink for Figures {
    fn count(&self, plugin: &str, name: &str, by: u64) {
        let Some(own) = self.own(plugin) else { return };
        let mut own = locked(&own);
        if let Some(counter) = own.counters.get_mut(name) {
            *counter = counter.saturating_add(by);
        } else if own.has_room(plugin, name) {
            own.counters.insert(name.to_owned(), by);
        }
    }

    fn observe(&self, plugin: &str, name: &str, value: f64) {
        let Some(own) = self.own(plugin) else { return };
        let mut own = locked(&own);
        if let Some(histogram) = own.histograms.get_mut(name) {
            histogram.observe(value);
        } else if own.has_room(plugin, name) {
            own.histograms.entry(name.to_owned()).or_default().observe(value);
        }
    }
}

impl Own {
    fn has_room(&mut self, plugin: &str, name: &str) -> bool {
        if self.counters.len() + self.histograms.len() < NAMES_MAX {
            return true;
        }
        if !self.is_full_said {
            self.is_full_said = true;
            warn!(
                plugin,
                name,
                names_max = NAMES_MAX,
                "plugin's figure left out: its versions have used too many names since the start"
            );
        }
        false
    }
}

impl Observed {
    fn observe(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
        let place = BOUNDS.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket += 1;
        }
    }
}

/// The figures as a scrape shows them.
#[derive(Debug)]
pub(super) struct Shown(pub(super) Arc<Figures>);

impl Collector for Shown {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> std::fmt::Result {
        let all = self.0.all();
        let help = "What plugins count, by their own names";
        let mut family =
            out.encode_descriptor(name::PLUGIN_COUNT, help, None, MetricType::Counter)?;
        for (plugin, own) in &all {
            for (name, count) in &locked(own).counters {
                let labels = [("plugin", plugin.as_str()), ("name", name)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "What plugins observe, by their own names";
        let mut family =
            out.encode_descriptor(name::PLUGIN_OBSERVED, help, None, MetricType::Histogram)?;
        for (plugin, own) in &all {
            for (name, Observed { sum, count, buckets }) in &locked(own).histograms {
                let labels = [("plugin", plugin.as_str()), ("name", name)];
                let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(*buckets).collect();
                let mut metric = family.encode_family(&labels)?;
                metric.encode_histogram::<[(&str, &str); 0]>(*sum, *count, &buckets, None)?;
            }
        }
        Ok(())
    }
}

fn locked(own: &Mutex<Own>) -> MutexGuard<'_, Own> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    fn scraped(figures: &Arc<Figures>) -> String {
        let mut registry = Registry::with_prefix(name::PREFIX);
        registry.register_collector(Box::new(Shown(Arc::clone(figures))));
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn figures_are_scraped_under_plugin_and_name() {
        let figures = Arc::new(Figures::default());
        let sink: &dyn MetricSink = &*figures;
        sink.count("tally", "events_total", 2);
        sink.count("tally", "events_total", 3);
        sink.count("tally", "huge", u64::MAX);
        sink.count("tally", "huge", 1);
        sink.count("a\"b", "events_total", 1);
        for value in [-1.0, 0.001, 0.002, 5.0, 1e9] {
            sink.observe("tally", "seconds", value);
        }
        let text = scraped(&figures);
        for line in [
            "# TYPE slipswitch_plugin_count counter\n",
            "slipswitch_plugin_count_total{plugin=\"tally\",name=\"events_total\"} 5\n",
            "slipswitch_plugin_count_total{plugin=\"tally\",name=\"huge\"} 18446744073709551615\n",
            "slipswitch_plugin_count_total{plugin=\"a\\\"b\",name=\"events_total\"} 1\n",
            "# TYPE slipswitch_plugin_observed histogram\n",
            "slipswitch_plugin_observed_sum{plugin=\"tally\",name=\"seconds\"} 1000000004.003\n",
            "slipswitch_plugin_observed_count{plugin=\"tally\",name=\"seconds\"} 5\n",
            "slipswitch_plugin_observed_bucket{le=\"0.001\",plugin=\"tally\",name=\"seconds\"} 2\n",
            "slipswitch_plugin_observed_bucket{le=\"0.003\",plugin=\"tally\",name=\"seconds\"} 3\n",
            "slipswitch_plugin_observed_bucket{le=\"10000000.0\",plugin=\"tally\",name=\"seconds\"} 4\n",
            "slipswitch_plugin_observed_bucket{le=\"+Inf\",plugin=\"tally\",name=\"seconds\"} 5\n",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn there_are_so_many_names_of_a_plugin_and_so_many_plugins() {
        let figures = Arc::new(Figures::default());
        for number in 0..NAMES_MAX {
            figures.count("tally", &format!("count_{number}"), 1);
        }
        figures.count("tally", "over", 1);
        figures.observe("tally", "over", 1.0);
        figures.count("tally", "count_0", 1);
        for number in 1..=PLUGINS_MAX {
            figures.observe(&format!("plugin-{number}"), "seconds", 1.0);
        }
        let text = scraped(&figures);
        assert!(!text.contains("over"), "{text}");
        assert!(text.contains("{plugin=\"tally\",name=\"count_0\"} 2\n"), "{text}");
        assert_eq!(text.matches("_count_total{").count(), NAMES_MAX);
        assert_eq!(text.matches("_observed_sum{").count(), PLUGINS_MAX - 1);
    }
}
