//! A plugin as the step of a rule: what the router itself calls, from the event to what is sent.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bus::{PluginFile, Shelf};
use bytes::Bytes;
use event::{Event, Timestamp};
use plugin::{Host, Setup};
use ruleset::{About, Context, Given, Purpose, RuleSet, SourceFile};

use super::event::Sent;
use super::{CALLS, Subject, measure};
use crate::reload::Nothing;

/// A rule set of one rule, whose one target has one step.
pub(super) struct Rule {
    rules: RuleSet,
    event: Event,
}

impl Rule {
    pub(super) fn new(
        host: &Host,
        subject: &Subject,
        path: &Path,
        sent: &Sent,
    ) -> anyhow::Result<Self> {
        let shown = path.display().to_string();
        let bytes = fs::read(path).with_context(|| format!("read {shown}"))?;
        let file = PluginFile { name: subject.name.to_owned(), path: shown, bytes };
        let shelf =
            Shelf::load(host, (Setup::default(), &Arc::default()), "this benchmark", &[file], None);
        let context = Context {
            values: &Nothing,
            plugins: &shelf,
            buses: &[],
            connections: &ruleset::NoConnections,
            limits: event::Limits::default(),
        };
        let text = format!(
            "name: orders\npattern: {{ detail-type: [OrderCreated] }}\ntargets:\n  - id: out\n    \
             http: http://127.0.0.1:9/\n    transform: [{{ plugin: {}, config: {} }}]\n",
            subject.name, subject.config
        );
        let files = [SourceFile { path: "orders.yaml".to_owned(), text }];
        let rules = match ruleset::load(&files, &context) {
            Ok(loaded) => loaded.rules,
            Err(problems) => bail!("the rule does not load: {:?}", problems.first()),
        };
        let event = Event::read(Bytes::copy_from_slice(sent.json.as_bytes()))
            .map_err(|error| anyhow::anyhow!("the order is no event: {error}"))?;
        Ok(Self { rules, event })
    }

    /// Events a second that come to the target by the batch.
    pub(super) fn in_batches(&self) -> anyhow::Result<f64> {
        let rule = self.rules.rules().first().context("a rule")?;
        let target = rule.targets.first().context("a target")?;
        let about = About {
            rule: &rule.name,
            target: &target.id,
            bus: &rule.bus,
            replay: None,
            ingested: Timestamp::from_millis(0),
            purpose: Purpose::Delivery,
        };
        let given = [Given { event: &self.event, about, state: None }; CALLS];
        measure(1, &|| {
            let outcomes = target.transform_batch(&given).into_iter();
            outcomes
                .map(|made| Ok(made?.iter().map(|payload| payload.body.len()).sum::<usize>()))
                .sum()
        })
    }
}
