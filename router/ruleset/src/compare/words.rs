//! What changed of a subscription, in words.
//!
//! # Invariants
//!
//! - No secret: a URL is shown as it stands in the file, without user, password and query; of headers
//!   only names, of a plugin's configuration nothing.

use std::fmt::{Debug, Write as _};

use super::{Differs, Side};
use crate::flow::{Batch, Flow, OrderBy, Start};
use crate::rule::{Http, Retry, Target, TargetKind};
use crate::rule_set::RuleSet;
use crate::transform::Step;

/// What tells the steps of two targets apart: all that they say.
pub(super) fn signature(target: &Target) -> String {
    target.steps.iter().fold(String::new(), |mut all, step| {
        match step {
            Step::Plugin { digest, .. } => write!(all, "plugin {digest};"),
            Step::Input(input) => write!(all, "{input:?};"),
        }
        .expect("a String takes every text");
        all
    })
}

pub(super) fn added(new: &Side, running: &RuleSet) -> Vec<String> {
    let was = rule_in(running, new);
    let what = match was {
        Some(false) => "enabled: it was disabled",
        Some(true) => "the target is new",
        None => "the rule is new",
    };
    vec![what.to_owned(), goes_to(&new.target)]
}

pub(super) fn removed(old: &Side, candidate: &RuleSet) -> Vec<String> {
    let what = match rule_in(candidate, old) {
        Some(false) => "disabled",
        Some(true) => "the target is gone",
        None => "the rule is gone",
    };
    vec![what.to_owned(), format!("what it still owes is {}", goes_to(&old.target))]
}

/// Whether there is a rule of this name, and whether it is enabled.
fn rule_in(rules: &RuleSet, side: &Side) -> Option<bool> {
    let on_bus = rules.on(&side.rule.bus)?;
    on_bus.rules().iter().find(|rule| rule.name == side.rule.name).map(|rule| rule.enabled)
}

pub(super) fn renamed(old: &Side) -> Vec<String> {
    let name = |side: &Side| format!("{}/{}", side.rule.name, side.target.id);
    vec![format!(
        "it was {}: it begins as a new subscription, and the old one ends with what it owes",
        name(old)
    )]
}

pub(super) fn changed(old: &Side, new: &Side, differs: Differs) -> Vec<String> {
    let mut words = Vec::new();
    if differs.pattern {
        words.push("pattern".to_owned());
    }
    if differs.outputs {
        words.push(transform(&old.target, &new.target));
    }
    if old.target.kind != new.target.kind {
        words.extend(destination(&old.target.kind, &new.target.kind));
    }
    words.extend(delivery(&old.target, &new.target));
    words
}

fn transform(old: &Target, new: &Target) -> String {
    let named = |target: &Target| {
        let names: Vec<String> = target.steps.iter().map(name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let (was, is) = (named(old), named(new));
    if was != is {
        return format!("transform: {was} → {is}");
    }
    let single = |step: &Step| match step {
        Step::Plugin { digest, .. } => digest.clone(),
        Step::Input(input) => format!("{input:?}"),
    };
    let steps = old.steps.iter().zip(&new.steps).enumerate();
    let differing: Vec<String> = steps
        .filter(|(_, (one, other))| single(one) != single(other))
        .map(|(at, (step, _))| format!("step {} ({})", at + 1, name(step)))
        .collect();
    format!("transform: {}", differing.join(", "))
}

fn name(step: &Step) -> String {
    match step {
        Step::Plugin { name, .. } => format!("plugin {name}"),
        Step::Input(_) => "input".to_owned(),
    }
}

fn goes_to(target: &Target) -> String {
    format!("for {}", place(&target.kind))
}

fn place(kind: &TargetKind) -> String {
    match kind {
        TargetKind::Http(http) => shown_url(&http.url_shown),
        TargetKind::Log(log) => match &log.file {
            Some(file) => format!("the file {file}"),
            None => "the console".to_owned(),
        },
        TargetKind::Bus(bus) => format!("the bus {}", bus.bus),
    }
}

/// Whether both go to the same place, by whatever way.
pub(super) fn is_one_place(old: &TargetKind, new: &TargetKind) -> bool {
    match (old, new) {
        (TargetKind::Http(old), TargetKind::Http(new)) => old.url == new.url,
        (old, new) => old == new,
    }
}

fn destination(old: &TargetKind, new: &TargetKind) -> Vec<String> {
    let (was, is) = (place(old), place(new));
    if was != is {
        return vec![format!("goes to {is}, was {was}")];
    }
    let (TargetKind::Http(old), TargetKind::Http(new)) = (old, new) else {
        return vec!["another destination".to_owned()];
    };
    let mut words = Vec::new();
    if old.url != new.url {
        words.push(format!("goes to {is}, which stands for something else now"));
    }
    words.extend(headers(old, new));
    if old.connection != new.connection {
        let named = |http: &Http| http.connection.clone().unwrap_or_else(|| "none".to_owned());
        words.push(format!("connection: {} → {}", named(old), named(new)));
    }
    // How long an attempt may take is told with the other limits.
    if words.is_empty() && old.timeout == new.timeout {
        words.push("another way to the same destination".to_owned());
    }
    words
}

fn headers(old: &Http, new: &Http) -> Vec<String> {
    let value = |http: &Http, name: &str| {
        let found = http.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.clone())
    };
    let mut names: Vec<&String> =
        old.headers.iter().chain(&new.headers).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let words = names.into_iter().filter_map(|name| match (value(old, name), value(new, name)) {
        (None, Some(_)) => Some(format!("header {name}: new")),
        (Some(_), None) => Some(format!("header {name}: gone")),
        (was, is) => (was != is).then(|| format!("header {name}: another value")),
    });
    words.collect()
}

/// What differs in how outputs are delivered, wherever they go.
pub(super) fn delivery(old: &Target, new: &Target) -> Vec<String> {
    let mut words = Vec::new();
    let mut differ = |what: &str, was: String, is: String| {
        if was != is {
            words.push(format!("{what}: {was} → {is}"));
        }
    };
    let (Retry { attempts_max, age_max, backoff_min, backoff_max }, then) = (old.retry, new.retry);
    differ("retry attempts", attempts_max.to_string(), then.attempts_max.to_string());
    differ("retry age", debug(&age_max), debug(&then.age_max));
    differ("retry backoff", debug(&(backoff_min, backoff_max)), {
        debug(&(then.backoff_min, then.backoff_max))
    });
    let (was, is): (&Flow, &Flow) = (&old.flow, &new.flow);
    differ("concurrency", or_none(was.concurrency.as_ref()), or_none(is.concurrency.as_ref()));
    differ("rate", or_none(was.rate.as_ref()), or_none(is.rate.as_ref()));
    differ("timeout", debug(&was.timeout), debug(&is.timeout));
    let order = |flow: &Flow| flow.order_by.as_ref().map_or("none", OrderBy::path).to_owned();
    differ("order_by", order(was), order(is));
    let batch = |flow: &Flow| match flow.batch {
        None => "none".to_owned(),
        Some(Batch { events, within }) => format!("{events} events within {within:?}"),
    };
    differ("batch", batch(was), batch(is));
    let circuit = |flow: &Flow| {
        let circuit = flow.circuit;
        format!("{} failures, probed after {:?}", circuit.failures, circuit.probe_after)
    };
    differ("circuit", circuit(was), circuit(is));
    let start = |flow: &Flow| match flow.start {
        Start::Latest => "latest".to_owned(),
        Start::Earliest => "earliest".to_owned(),
        Start::At(time) => time.to_string(),
    };
    differ("start", start(was), start(is));
    words
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn or_none(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// The URL of a rule file without what may be secret in it. One with a `${…}` holds the value's name only.
fn shown_url(url: &str) -> String {
    if url.contains("${") {
        return url.to_owned();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return "an http target".to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.map_or_else(String::new, |path| format!("/{path}"));
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("http://a:b@host:1/p/q?token=x#f", "http://host:1/p/q"),
            ("http://host?token=x", "http://host"),
            ("https://a@b@host/x@y", "https://host/x@y"),
            ("${CRM:-http://a/b?c}", "${CRM:-http://a/b?c}"),
            ("nonsense", "an http target"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
