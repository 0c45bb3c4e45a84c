//! A plugin that counts, in its state, how often it has seen which event of which subscription, and how many in all.
//!
//! The state on disk is that of events whose outcomes are on disk, too: what it counted is claimed by the subscription,
//! and once; and the sum is that of the parts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruleset::{PluginStep, PluginUse, Plugins, PrepareError, StepError, StepInput, StepOutput};
use rusqlite::Connection;
use slipswitch_bus::plugin::StateAccess;
use slipswitch_bus::{EventState, ruleset};

use crate::model::{Key, Model};

const ALL: &str = "all";

/// By bus and key; live events only.
pub(crate) type Rows = BTreeMap<(String, String), i64>;

pub(crate) struct Tally;

impl Plugins for Tally {
    fn prepare(&self, _wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        Ok(Arc::new(Self))
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl PluginStep for Tally {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        inputs.iter().map(count).collect()
    }

    fn keeps_state(&self) -> Option<&str> {
        Some("tally")
    }
}

fn count(input: &StepInput<'_>) -> Result<Vec<StepOutput>, StepError> {
    let state = input.state.and_then(|state| state.downcast_ref::<EventState>());
    let view = state.expect("the router brings it").of("tally");
    let fact = |name: &str| {
        let found = input.attributes.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let own = format!("{}/{}/{}", fact("rule"), fact("target"), input.id);
    for key in [own.as_str(), ALL] {
        let sum = view.increment(key, 1, None, 0);
        sum.map_err(|error| StepError::Retry(error.to_string()))?;
    }
    view.keep();
    Ok(vec![StepOutput { body: input.json.to_owned(), attributes: Vec::new() }])
}

pub(crate) fn read(database: &Connection) -> rusqlite::Result<Rows> {
    let mut select =
        database.prepare("SELECT bus, key, value FROM plugin_state WHERE replay = ''")?;
    let rows = select.query_map([], |row| {
        let value: Vec<u8> = row.get(2)?;
        let count = String::from_utf8(value).expect("it is a text").parse();
        Ok(((row.get(0)?, row.get(1)?), count.expect("it is a number")))
    })?;
    rows.collect()
}

impl Model {
    pub(crate) fn check_tallies(&mut self, rows: &Rows, claims: &Claims<'_>) {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        let mut wrong = Vec::new();
        for ((bus, key), count) in rows.iter().filter(|((_, key), _)| key != ALL) {
            *sums.entry(bus).or_default() += count;
            let mut parts = key.splitn(3, '/').map(str::to_owned);
            let mut part = || parts.next().expect("a key has three parts");
            let (rule, target, event) = (part(), part(), part());
            let key = Key { bus: bus.clone(), rule, target };
            let offsets = (0_u64..).zip(&self.log);
            let offsets = offsets.filter(|(_, one)| one.event == event && one.bus == *bus);
            let offsets: BTreeSet<u64> = offsets.map(|(offset, _)| offset).collect();
            if offsets.iter().any(|offset| claims.is_redriven(&key, *offset)) {
                continue;
            }
            let most = i64::try_from(offsets.len()).expect("few");
            // One that went for good and came back may have begun with the first event there is, and owe it again.
            let mut all = self.history.iter().flatten();
            let begins_anew = all.any(|rule| rule.name == key.rule && rule.flow.is_early);
            if begins_anew {
                continue;
            }
            if most < *count {
                wrong.push(format!("{key:?} has counted {event} {count} times"));
            }
            if !offsets.iter().any(|offset| claims.has(&key, *offset)) {
                wrong.push(format!("{key:?} has counted {event}, and owes it still"));
            }
        }
        for (bus, sum) in sums {
            let all = rows.get(&(bus.to_owned(), ALL.to_owned())).copied();
            if all != Some(sum) {
                wrong
                    .push(format!("{bus} has counted {sum} events one by one, and {all:?} in all"));
            }
        }
        self.violations.append(&mut wrong);
    }
}

/// What subscriptions say of events.
pub(crate) struct Claims<'a> {
    pub(crate) found: &'a BTreeMap<Key, crate::model::Stored>,
    /// Sent again from dead letters, perhaps through the rules: bus and offset.
    pub(crate) redriven: BTreeSet<(String, u64)>,
}

impl Claims<'_> {
    fn has(&self, key: &Key, offset: u64) -> bool {
        self.found
            .get(key)
            .is_none_or(|stored| offset < stored.settled || stored.done.contains(&offset))
    }

    fn is_redriven(&self, key: &Key, offset: u64) -> bool {
        self.redriven.contains(&(key.bus.clone(), offset))
    }
}
