//! The demonstration in words: what went where, and how to go on.

use std::collections::BTreeMap;

use receiver::Request;

use crate::demo::{Findings, REPLAYED_RULE, arrived::Delivery, expected::Key};

/// The table and the story behind it.
pub(super) fn lines(findings: &Findings) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(table(findings));
    lines.push(String::new());
    lines.extend(story(findings));
    lines
}

fn table(findings: &Findings) -> Vec<String> {
    let mut rows: BTreeMap<(&str, &str), [usize; 4]> = BTreeMap::new();
    for key in findings.expected.http.keys() {
        rows.entry((&key.rule, &key.target)).or_default()[0] += 1;
    }
    for (key, delivery) in &findings.arrived {
        let row = rows.entry((&key.rule, &key.target)).or_default();
        row[1] += usize::from(delivery.accepted > 0);
        row[2] += usize::from(was_retried(delivery));
        row[3] += usize::from(delivery.refused > 0);
    }
    let mut lines = vec![format!(
        "{:<20}{:<14}{:>9}{:>11}{:>9}{:>6}",
        "RULE", "TARGET", "EXPECTED", "DELIVERED", "RETRIED", "DEAD"
    )];
    for ((rule, target), [expected, delivered, retried, dead]) in rows {
        lines.push(format!(
            "{rule:<20}{target:<14}{expected:>9}{delivered:>11}{retried:>9}{dead:>6}"
        ));
    }
    let logged = (findings.expected.logged.len(), findings.logged);
    lines.push(format!(
        "{:<20}{:<14}{:>9}{:>11}{:>9}{:>6}",
        "ops-log", "console", logged.0, logged.1, 0, 0
    ));
    lines
}

fn story(findings: &Findings) -> Vec<String> {
    let count = |matches: &dyn Fn(&Key, &Delivery) -> bool| {
        findings.arrived.iter().filter(|(key, delivery)| matches(key, delivery)).count()
    };
    let accepted = count(&|_, delivery| delivery.accepted > 0);
    let big = count(&|key, delivery| key.rule == "big-orders" && delivery.accepted > 0);
    let items = count(&|key, _| key.rule == "order-items");
    let failed_first = count(&|key, delivery| key.target == "inventory" && was_retried(delivery));
    let down_first = count(&|key, delivery| key.target == "shipping" && was_retried(delivery));
    let sample = findings.arrived.iter().find(|(key, _)| key.rule == REPLAYED_RULE);
    let sample = sample.map(|(_, delivery)| delivery.body.as_str()).unwrap_or_default();
    let Findings { events, expected, replayed, logged, dead, .. } = findings;
    vec![
        format!("routed       {events} events became {accepted} deliveries over HTTP"),
        format!(
            "transformed  {items} order lines split off; {big} big orders redacted; texts such as"
        ),
        format!("             \"{sample}\""),
        format!(
            "filtered     {} orders were too small for the CRM; {} test accounts were not welcomed",
            expected.small_orders, expected.test_accounts
        ),
        format!(
            "forwarded    {logged} LowStock events went to the bus `ops`, and from there to the console"
        ),
        format!(
            "retried      {failed_first} deliveries that inventory failed to take, {down_first} while shipping was down"
        ),
        format!(
            "dead         {dead} deliveries that the CRM refused with 400; redriven, they were accepted"
        ),
        format!("replayed     {replayed} events through the rule {REPLAYED_RULE}"),
    ]
}

/// It took more than one attempt, without a redrive's help.
fn was_retried(delivery: &Delivery) -> bool {
    delivery.refused == 0 && (delivery.attempts > 1 || delivery.last_attempt > 1)
}

/// How to go on by hand.
pub(super) fn invitation(url: &str, program: &str) -> Vec<String> {
    let event = r#"{"source": "com.shopvn.user", "detail-type": "UserSignedUp", "detail": {"userId": "u-1", "name": "Lan", "email": "lan@mail.example"}}"#;
    vec![
        String::new(),
        format!(
            "The router stays up at {url}, and what arrives at the services shows below. In another terminal:"
        ),
        String::new(),
        format!("  curl -d '{event}' {url}/buses/shop/events"),
        format!("  export SLIPSWITCH_URL={url}"),
        format!("  {program} status"),
        format!("  {program} dlq ls"),
        format!("  {program} replay ls"),
        String::new(),
        "Change a file in rules/ and send again: the change is there at once. Ctrl-C ends it all."
            .to_owned(),
        String::new(),
    ]
}

/// One arrival in one line.
pub(super) fn arrival(request: &Request) -> String {
    let rule = request.header("slipswitch-rule").unwrap_or("-");
    let body: String = request.text().chars().take(100).collect();
    format!("{} {:<14} {rule}: {body}", request.answered, request.path)
}
