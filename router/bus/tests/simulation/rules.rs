//! Rules of a simulation: what the model knows of them, and the file that the router reads.

use std::fmt::Write;
use std::sync::Arc;

use ruleset::{Context, RuleSet, SourceFile, Values};
use slipswitch_bus::ruleset;

use crate::model::Sent;
use crate::random::Random;
use crate::tally::Tally;

pub(crate) const BUSES: [&str; 2] = ["default", "side"];
pub(crate) const KINDS: [&str; 3] = ["a", "b", "c"];
const RULES: usize = 5;

/// What a rule sees of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) kind: &'static str,
    pub(crate) is_replayed: bool,
}

/// A rule: which kinds of events it wants, and where it sends them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) bus: &'static str,
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) targets: Vec<String>,
    /// Has a target that passes the event on to the other bus.
    pub(crate) forwards: bool,
    pub(crate) attempts: u32,
    /// Wants nothing of a replay.
    pub(crate) is_live_only: bool,
    /// The number that its template puts into what it sends; without, the event goes as it is.
    pub(crate) template: Option<u64>,
    /// Has a plugin on the way that counts its events, in its state.
    pub(crate) tallies: bool,
    /// Of all its targets.
    pub(crate) flow: Flow,
}

/// How deliveries go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) batch: Option<u64>,
    concurrency: Option<u64>,
    rate: Option<u64>,
    /// After how many failures in a row its circuit opens.
    failures: u64,
    /// A new target begins with the first event there is.
    pub(crate) is_early: bool,
}

impl Flow {
    fn draw(random: &mut Random) -> Self {
        let mut some = |percent, most| random.chance(percent).then(|| 1 + random.below(most));
        Self {
            batch: some(25, 4),
            concurrency: some(25, 4),
            rate: some(15, 200),
            failures: some(50, 3).unwrap_or(1000),
            is_early: some(25, 1).is_some(),
        }
    }

    fn lines(&self) -> String {
        let Self { batch, concurrency, rate, failures, is_early } = self;
        let mut lines = format!("    circuit: {{failures: {failures}, probe_after: 50ms}}\n");
        let mut line =
            |text: Option<String>| lines.extend(text.map(|text| format!("    {text}\n")));
        line(batch.map(|events| format!("batch: {{events: {events}, within: 20ms}}")));
        line(concurrency.map(|most| format!("concurrency: {most}")));
        line(rate.map(|rate| format!("rate: {}", 20 + rate)));
        line(is_early.then(|| "start: earliest".to_owned()));
        lines
    }
}

/// The rules of one moment.
pub(crate) type Generation = Vec<Rule>;

impl Rule {
    fn draw(random: &mut Random, number: usize) -> Self {
        let targets = if random.chance(30) { vec!["x", "y"] } else { vec!["x"] };
        let some = KINDS.into_iter().filter(|_| random.chance(60)).collect::<Vec<_>>();
        Self {
            name: format!("r{number}"),
            bus: BUSES[usize::from(number == 4)],
            kinds: if some.is_empty() { KINDS.to_vec() } else { some },
            targets: targets.into_iter().map(str::to_owned).collect(),
            forwards: number == 3,
            attempts: [2, 4, 100][random.index(3)],
            is_live_only: random.chance(20),
            template: random.chance(40).then(|| random.below(1000)),
            tallies: random.chance(30),
            flow: Flow::draw(random),
        }
    }

    pub(crate) fn wants(&self, facts: Facts) -> bool {
        self.kinds.contains(&facts.kind) && !(self.is_live_only && facts.is_replayed)
    }

    /// What its HTTP targets get of an event.
    pub(crate) fn makes(&self, event: &Sent, id: &str, envelope: &str) -> String {
        let Sent { kind, key, .. } = event;
        match self.template {
            None => envelope.to_owned(),
            Some(v) => format!(r#"{{"v":{v},"id":"{id}","kind":"{kind}","key":{key},"n":1.10}}"#),
        }
    }

    fn file(&self) -> String {
        let live = if self.is_live_only { ", replay-name: [{exists: false}]" } else { "" };
        let mut file = format!(
            "---\nname: {}\nbus: {}\npattern: {{source: [sim], detail: {{kind: [{}]}}{live}}}\ntargets:\n",
            self.name,
            self.bus,
            self.kinds.join(", ")
        );
        let retry = format!(
            "retry: {{attempts: {}, max_age: 1h, backoff: {{min: 5ms, max: 400ms}}}}",
            self.attempts
        );
        let retry = match is_ordered(&self.name) {
            true => format!("{retry}\n    order_by: $.detail.key"),
            false => retry,
        };
        let template = self.template.map_or(String::new(), |v| {
            format!(
                "      - input:\n          paths: {{id: $.id, kind: $.detail.kind, key: $.detail.key, n: $.detail.n}}\n          template: '{{\"v\": {v}, \"id\": <id>, \"kind\": <kind>, \"key\": <key>, \"n\": <n>}}'\n"
            )
        });
        let tally =
            if self.tallies { "      - plugin: tally\n        grant: [state]\n" } else { "" };
        let transform = match (self.tallies, self.template) {
            (false, None) => String::new(),
            _ => format!("    transform:\n{tally}{template}"),
        };
        let flow = self.flow.lines();
        for target in &self.targets {
            let url = format!("http://{}.{target}.invalid/", self.name);
            writeln!(
                file,
                "  - id: {target}\n    http: {{url: '{url}', timeout: 2s}}\n{transform}{flow}    {retry}"
            )
            .expect("a string takes all");
        }
        if self.forwards {
            writeln!(file, "  - id: on\n    bus: side\n{flow}    {retry}")
                .expect("a string takes all");
        }
        file
    }
}

/// Whether a rule's targets get the events of one key in their order.
pub(crate) fn is_ordered(rule: &str) -> bool {
    rule == "r1" || rule == "r2"
}

/// A set of rules; most follow from the one before by a small change.
pub(crate) fn draw(random: &mut Random, before: Option<&Generation>) -> Generation {
    let mut generation = Generation::new();
    for number in 0..RULES {
        let name = format!("r{number}");
        let old = before.and_then(|rules| rules.iter().find(|rule| rule.name == name));
        let rule = match old {
            Some(old) if random.chance(70) => old.clone(),
            _ => Rule::draw(random, number),
        };
        let is_there = if old.is_some() { 85 } else { 60 };
        if random.chance(is_there) {
            generation.push(rule);
        }
    }
    if generation.is_empty() && before.is_none() {
        generation.push(Rule::draw(random, 0));
    }
    generation
}

pub(crate) fn load(generation: &Generation) -> Arc<RuleSet> {
    let text: String = generation.iter().map(Rule::file).collect();
    if text.is_empty() {
        return Arc::new(RuleSet::empty());
    }
    let buses = BUSES.map(str::to_owned);
    let context = Context {
        values: &Nothing,
        plugins: &Tally,
        buses: &buses,
        connections: &ruleset::NoConnections,
        limits: event::Limits::default(),
    };
    let file = SourceFile { path: "rules.yaml".to_owned(), text };
    Arc::new(ruleset::load(&[file], &context).expect("the rules are right").rules)
}

struct Nothing;

impl Values for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }
}
