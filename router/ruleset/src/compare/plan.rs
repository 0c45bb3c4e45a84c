//! From two rule sets to the subscriptions that differ, and to one matcher for what differs of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pattern::keys::Needs;
use pattern::{Matcher, Pattern};

use super::words::{self, signature};
use super::{AFTER, BEFORE, Change, Comparison, Differing, Differs, NEEDS_MAX, OnBus, Side, Wants};
use crate::rule_set::RuleSet;

/// Bus, rule and target.
type Name = (String, String, String);

pub(super) fn plan(running: Arc<RuleSet>, candidate: Arc<RuleSet>) -> Comparison {
    let (mut before, mut after) = (subscriptions(&running), subscriptions(&candidate));
    let mut differing = Vec::new();
    let mut same = 0;
    let both: Vec<Name> = before.keys().filter(|name| after.contains_key(*name)).cloned().collect();
    for name in both {
        let (Some(old), Some(new)) = (before.remove(&name), after.remove(&name)) else { continue };
        let differs = differs(&old, &new);
        if differs == Differs::default() {
            same += 1;
        } else {
            let words = words::changed(&old, &new, differs);
            differing.push(one(Some(old), Some(new), (Change::Changed, words, differs)));
        }
    }
    differing.extend(renamed(&mut before, &mut after));
    for (_, old) in before {
        let words = words::removed(&old, &candidate);
        differing.push(one(Some(old), None, (Change::Removed, words, Differs::default())));
    }
    for (_, new) in after {
        let words = words::added(&new, &running);
        differing.push(one(None, Some(new), (Change::Added, words, Differs::default())));
    }
    differing.sort_by(|one, other| {
        let name = |differing: &Differing| {
            let side = differing.side();
            (differing.bus.clone(), side.rule.name.clone(), side.target.id.clone())
        };
        name(one).cmp(&name(other))
    });
    let (rules, rules_differ) = count_rules(&running, &candidate, &differing);
    let buses = buses(&differing);
    Comparison { running, candidate, differing, same, rules, rules_differ, buses }
}

fn one(
    before: Option<Side>,
    after: Option<Side>,
    (change, words, differs): (Change, Vec<String>, Differs),
) -> Differing {
    let side = after.as_ref().or(before.as_ref());
    let bus = side.map_or_else(String::new, |side| side.rule.bus.clone());
    Differing { bus, before, after, change, words, differs }
}

fn subscriptions(rules: &RuleSet) -> BTreeMap<Name, Side> {
    let enabled = rules.rules().iter().filter(|rule| rule.enabled);
    let all = enabled.flat_map(|rule| {
        rule.targets.iter().map(move |target| {
            let name = (rule.bus.clone(), rule.name.clone(), target.id.clone());
            (name, Side { rule: Arc::clone(rule), target: Arc::clone(target) })
        })
    });
    all.collect()
}

fn differs(old: &Side, new: &Side) -> Differs {
    Differs {
        pattern: old.pattern().text() != new.pattern().text(),
        outputs: signature(&old.target) != signature(&new.target),
        destination: !words::is_one_place(&old.target.kind, &new.target.kind),
        delivery: !is_delivered_alike(old, new),
    }
}

/// Takes out what is gone here and has come there, and does the same.
fn renamed(before: &mut BTreeMap<Name, Side>, after: &mut BTreeMap<Name, Side>) -> Vec<Differing> {
    let like = |side: &Side| {
        let pattern = side.pattern().text().to_owned();
        (side.rule.bus.clone(), pattern, signature(&side.target))
    };
    let mut come: HashMap<_, Vec<Name>> = HashMap::new();
    for (name, side) in after.iter() {
        come.entry(like(side)).or_default().push(name.clone());
    }
    let gone: Vec<Name> = before.keys().cloned().collect();
    let mut found = Vec::new();
    for name in gone {
        let Some(old) = before.get(&name) else { continue };
        let Some(names) = come.get_mut(&like(old)) else { continue };
        let is_like = |new: &Name| after.get(new).is_some_and(|new| is_delivered_alike(old, new));
        // Of several that do the same, one of the same target or rule is meant rather than another.
        let chosen =
            names.iter().enumerate().filter(|(_, new)| is_like(new)).max_by_key(|(at, new)| {
                (new.1 == name.1 || new.2 == name.2, std::cmp::Reverse(*at))
            });
        let Some((at, _)) = chosen else { continue };
        let new = after.remove(&names.swap_remove(at));
        let (Some(old), Some(new)) = (before.remove(&name), new) else { continue };
        // The name is told to templates and plugins.
        let differs = Differs { outputs: !new.target.steps.is_empty(), ..Differs::default() };
        let words = words::renamed(&old);
        found.push(one(Some(old), Some(new), (Change::Renamed, words, differs)));
    }
    found
}

fn is_delivered_alike(old: &Side, new: &Side) -> bool {
    old.target.kind == new.target.kind && words::delivery(&old.target, &new.target).is_empty()
}

fn count_rules(running: &RuleSet, candidate: &RuleSet, differing: &[Differing]) -> (usize, usize) {
    let name = |bus: &str, rule: &str| (bus.to_owned(), rule.to_owned());
    let mut all: BTreeSet<_> = running
        .rules()
        .iter()
        .chain(candidate.rules())
        .map(|rule| name(&rule.bus, &rule.name))
        .collect();
    let mut differ = BTreeSet::new();
    for one in differing {
        differ.insert(name(&one.bus, &one.side().rule.name));
        if one.change == Change::Renamed
            && let (Some(old), Some(new)) = (&one.before, &one.after)
            && old.rule.name != new.rule.name
        {
            // One rule under two names.
            all.remove(&name(&one.bus, &old.rule.name));
        }
    }
    all.extend(differ.iter().cloned());
    (all.len(), differ.len())
}

/// What is asked of the events of one bus, while it is gathered.
#[derive(Default)]
struct Asked {
    patterns: Vec<Pattern>,
    /// By text: its position.
    numbers: HashMap<String, usize>,
    wants: Vec<Vec<Wants>>,
}

impl Asked {
    fn number(&mut self, pattern: &Pattern) -> usize {
        if let Some(number) = self.numbers.get(pattern.text()) {
            return *number;
        }
        let number = self.patterns.len();
        self.numbers.insert(pattern.text().to_owned(), number);
        self.patterns.push(pattern.clone());
        self.wants.push(Vec::new());
        number
    }

    fn on_bus(self) -> OnBus {
        let needs = (self.patterns.len() <= NEEDS_MAX)
            .then(|| self.patterns.iter().map(Pattern::needs).collect::<Vec<_>>())
            .filter(|needs| !needs.iter().any(Needs::is_empty));
        OnBus { matcher: Matcher::new(&self.patterns), wants: self.wants, needs }
    }
}

fn buses(differing: &[Differing]) -> BTreeMap<String, OnBus> {
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    for (at, one) in differing.iter().enumerate().filter(|(_, one)| one.is_looked_at()) {
        let asked = asked.entry(one.bus.clone()).or_default();
        for (side, bit) in [(&one.before, BEFORE), (&one.after, AFTER)] {
            let Some(side) = side else { continue };
            let number = asked.number(side.pattern());
            match asked.wants[number].last_mut() {
                Some(last) if last.at == at => last.sides |= bit,
                _ => asked.wants[number].push(Wants { at, sides: bit }),
            }
        }
    }
    asked.into_iter().map(|(bus, asked)| (bus, asked.on_bus())).collect()
}
