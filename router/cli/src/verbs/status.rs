//! `slipswitch status`: what a router is doing.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output},
    rows::{PLUGINS_DOWN, Plugin, Router, Sealed, Since, Status, Subscription, Weakened},
};

const EXAMPLES: &str = "\
A subscription is one target of one rule, with its own place in the journal. LAG says how many events of the journal \
it has not looked at yet, QUEUED how many wait for their turn, POSTPONED how many deliveries wait for another attempt. STATE is `up`, or why nothing is sent: `down` (the target does \
not answer, and is probed), `plugins down` (its plugins failed so often that they get nothing but probes), `paused`, `disabled` (it answered 410), or `removed` (its rule is gone, and it is still \
owed events: below the table is how many, and until when). \
DELIVERED, DROPPED (events its transforms let go) and DEAD (deliveries given up) are counted since the subscription \
began: a redriven dead letter stays counted in DEAD, and `slipswitch dlq ls` shows which ones are still there.

Examples:
  slipswitch status
  slipswitch status -o json | jq '.router.subscriptions[] | select(.lag > 1000)'";

/// Show what the router is doing: its rules, the last error in them, and every subscription.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let document: Box<RawValue> = client.get("/api/v1/status", &[])?;
    let Some(status) = output::shown::<Status>(arguments.output.format, &document)? else {
        return Ok(());
    };
    for line in summary(client.base(), &status) {
        output::said(&line)?;
    }
    output::line("")?;
    let heads = [
        "BUS",
        "RULE",
        "TARGET",
        "STATE",
        "DELIVERED",
        "DROPPED",
        "DEAD",
        "LAG",
        "QUEUED",
        "IN FLIGHT",
        "POSTPONED",
        "LAST ERROR",
    ];
    let stopped = stopped(&status.router.subscriptions);
    let subscriptions = &status.router.subscriptions;
    let plugins_down = subscriptions.iter().filter_map(Subscription::plugins_down);
    let told: Vec<String> = plugins_down.chain(subscriptions.iter().filter_map(removed)).collect();
    let rows = status.router.subscriptions.into_iter().map(row).collect();
    output::table(heads, rows, "no subscriptions: no rule has a target yet")?;
    if let Some(stopped) = stopped {
        output::said(&format!("\n{stopped}; see `slipswitch target ls`"))?;
    }
    for line in told {
        output::said(&format!("\n{line}"))?;
    }
    if let Some(error) = &status.last_error {
        let shown = if error.rendered.is_empty() { &error.message } else { &error.rendered };
        let at = error.at.as_deref().unwrap_or("some time ago");
        output::said(&format!(
            "\nthe rules on disk are broken (seen {at}); the ones above still run:\n"
        ))?;
        output::line(shown)?;
    }
    Ok(())
}

fn summary(base: &str, status: &Status) -> Vec<String> {
    let generation = &status.generation;
    let journal = &status.router.journal;
    let loaded =
        generation.loaded_at.as_deref().map(|at| format!(", loaded {at}")).unwrap_or_default();
    let plugins: Vec<String> = status.plugins.iter().map(plugin).collect();
    let mut lines = vec![
        format!("slipswitch {} at {base}, up {}", status.version, span(status.uptime_seconds)),
        format!("rules    {} (generation {}{loaded})", generation.rules, generation.number),
        format!(
            "journal  {}, {} in {}",
            output::count(journal.next_offset, "event"),
            output::size(journal.bytes),
            output::count(journal.segments, "segment")
        ),
    ];
    lines.extend(troubles(&status.router));
    let damaged = journal.sealed.iter().chain(&journal.damaged_archives);
    for Sealed { bus, archive, damaged } in damaged.filter(|one| 0 < one.damaged) {
        let what = match archive.as_str() {
            "" => format!("sealed segments of bus {bus}"),
            archive => format!("archive {archive}"),
        };
        lines.push(format!(
            "journal  DAMAGED: {what}, {}; the log names the files, `slipswitch journal repair` mends them after a stop",
            output::count(*damaged, "place")
        ));
    }
    for Weakened { bus, interval_ms } in &status.weakened {
        lines.push(format!(
            "journal  bus {bus} acknowledges events up to {interval_ms} ms before they are synced"
        ));
    }
    if !plugins.is_empty() {
        lines.push(format!("plugins  {}", plugins.join(", ")));
    }
    lines
}

/// What does not go on until somebody makes room, or the disk is well again.
fn troubles(router: &Router) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(reason) = &router.journal.stopped {
        let refuses = match &router.journal.refusing_since {
            Some(since) => format!("REFUSES EVENTS since {since}"),
            // What still fits into the last segment is taken.
            None if reason.starts_with("the disk is nearly full") => {
                "SOON REFUSES EVENTS".to_owned()
            }
            None => "REFUSES EVENTS".to_owned(),
        };
        lines.push(format!("journal  {refuses}: {reason}"));
    }
    if let Some(reason) = &router.dispatch_failed {
        lines.push(format!("journal  NOTHING IS DISPATCHED: {reason}"));
    }
    if let Some(reason) = &router.journal.sealing_failed {
        lines.push(format!("journal  EVENTS ARE NOT SEALED: {reason}"));
    }
    if let Some(Since { since, reason }) = &router.state_failed {
        lines.push(format!(
            "state    DELIVERIES WAIT: the state database cannot be written since {since}: {reason}"
        ));
    }
    lines
}

fn plugin(plugin: &Plugin) -> String {
    match (&plugin.error, &plugin.version) {
        (Some(error), _) => format!("{} (broken: {error})", plugin.name),
        (None, Some(version)) => format!("{} {version}", plugin.name),
        (None, None) => plugin.name.clone(),
    }
}

/// What a subscription without a rule is owed, and what becomes of it.
fn removed(one: &Subscription) -> Option<String> {
    let since = one.removed.as_ref()?;
    let name = format!("{}/{}/{}", one.bus, one.rule, one.target);
    let (unseen, waiting) = (output::count(one.lag, "event"), one.queued + one.in_flight);
    let until = one.removed_until.as_deref().unwrap_or("its end");
    let becomes = match (one.draining, one.stop_of_target()) {
        (true, None) => {
            format!("they are still sent, and given up when its target takes nothing until {until}")
        }
        (true, Some(why)) => {
            format!(
                "they wait, because it is {why}, and are given up when they still do at {until}"
            )
        }
        (false, None) => format!("they are given up when its rule is not back before {until}"),
        (false, Some(why)) => {
            format!("they are given up when its rule is not back before {until}; it is {why}")
        }
    };
    Some(format!(
        "{name} was removed or disabled at {since}, {unseen} behind and with {waiting} under way: {becomes}"
    ))
}

/// How many get nothing, and how so; none when all do.
fn stopped(subscriptions: &[Subscription]) -> Option<String> {
    let states = ["down", PLUGINS_DOWN, "paused", "disabled"];
    let counted = states.into_iter().filter_map(|state| {
        let of_it = subscriptions.iter().filter(|one| one.condition().0 == state).count();
        (0 < of_it).then(|| format!("{of_it} {state}"))
    });
    let counted: Vec<String> = counted.collect();
    (!counted.is_empty()).then(|| format!("not everything goes out: {}", counted.join(", ")))
}

fn row(subscription: Subscription) -> [String; 12] {
    let (state, _since, _why) = subscription.condition();
    let rule = subscription.rule_of();
    [
        subscription.bus,
        rule,
        subscription.target,
        state,
        subscription.delivered.to_string(),
        subscription.dropped.to_string(),
        subscription.dead.to_string(),
        subscription.lag.to_string(),
        subscription.queued.to_string(),
        subscription.in_flight.to_string(),
        subscription.postponed.to_string(),
        subscription.last_error.unwrap_or_default(),
    ]
}

/// The two largest units: `3d 4h`, `5m 12s`.
fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, unit) in units {
        if rest >= length || (unit == "s" && words.is_empty()) {
            words.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    words.truncate(2);
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let spans = [
            (0, "0s"),
            (59, "59s"),
            (312, "5m 12s"),
            (3_600, "1h"),
            (273_600, "3d 4h"),
            (86_401, "1d 1s"),
        ];
        for (seconds, shown) in spans {
            assert_eq!(span(seconds), shown);
        }
    }

    #[test]
    fn a_journal_that_stopped_is_shown_with_its_reason() {
        let status: Status = serde_json::from_str(
            r#"{"router":{"journal":{"next_offset":1,"bytes":90,"segments":1,"stopped":"the disk is full"}}}"#,
        )
        .unwrap();
        assert_eq!(
            summary("http://a", &status).get(2..).unwrap(),
            ["journal  1 event, 90 B in 1 segment", "journal  REFUSES EVENTS: the disk is full"]
        );
    }

    #[test]
    fn a_dispatcher_that_cannot_read_is_shown_with_its_reason() {
        let status: Status =
            serde_json::from_str(r#"{"router":{"dispatch_failed":"damaged at offset 7"}}"#)
                .unwrap();
        let line = "journal  NOTHING IS DISPATCHED: damaged at offset 7";
        assert_eq!(summary("http://a", &status).get(3..).unwrap(), [line]);
    }

    #[test]
    fn what_a_full_disk_keeps_from_going_on_is_shown() {
        let status: Status = serde_json::from_str(
            r#"{"router":{"journal":{"stopped":"the disk is nearly full: 1 B are free","refusing_since":"T1",
                "sealing_failed":"no room"},"state_failed":{"since":"T2","reason":"state.sqlite: full"}}}"#,
        )
        .unwrap();
        assert_eq!(
            summary("http://a", &status).get(3..).unwrap(),
            [
                "journal  REFUSES EVENTS since T1: the disk is nearly full: 1 B are free",
                "journal  EVENTS ARE NOT SEALED: no room",
                "state    DELIVERIES WAIT: the state database cannot be written since T2: state.sqlite: full",
            ]
        );
    }

    #[test]
    fn what_a_removed_target_is_owed_is_told() {
        let of = |draining: bool, paused: &str| {
            let text = format!(
                r#"{{"bus":"shop","rule":"audit","target":"t","removed":"T1","removed_until":"T2",
                    "draining":{draining},"paused":{paused},"lag":12,"queued":3,"in_flight":1}}"#
            );
            removed(&serde_json::from_str(&text).unwrap()).unwrap()
        };
        let told = "shop/audit/t was removed or disabled at T1, 12 events behind and with 4 under way: they are ";
        let given_up = "given up when its rule is not back before T2";
        assert_eq!(of(false, "null"), format!("{told}{given_up}"));
        let sent = "still sent, and given up when its target takes nothing until T2";
        assert_eq!(of(true, "null"), format!("{told}{sent}"));
        let paused = r#"{"since":"T0","reason":"the depot moves"}"#;
        let waits = "wait, because it is paused, the depot moves, and are given up when they still do at T2";
        assert_eq!(of(true, paused), told.replace("they are ", "they ") + waits);
        let both = format!("{told}{given_up}; it is paused, the depot moves");
        assert_eq!(of(false, paused), both);
        assert_eq!(removed(&Subscription::default()), None);
    }

    #[test]
    fn what_weakens_a_promise_is_shown() {
        let status: Status = serde_json::from_str(
            r#"{"weakened":[{"bus":"clicks","interval_ms":1000}],
                "router":{"journal":{"stopped":"the disk is nearly full: no room"}}}"#,
        )
        .unwrap();
        assert_eq!(
            summary("http://a", &status).get(3..).unwrap(),
            [
                "journal  SOON REFUSES EVENTS: the disk is nearly full: no room",
                "journal  bus clicks acknowledges events up to 1000 ms before they are synced"
            ]
        );
    }

    #[test]
    fn what_is_damaged_is_shown() {
        let status: Status = serde_json::from_str(
            r#"{"router":{"journal":{"sealed":[{"bus":"a","damaged":0},{"bus":"shop","damaged":1}],
                "damaged_archives":[{"archive":"all","damaged":3}]}}}"#,
        )
        .unwrap();
        let lines = summary("http://a", &status);
        assert_eq!(lines.len(), 5);
        let begins = |at: usize, with: &str| lines[at].starts_with(with);
        assert!(begins(3, "journal  DAMAGED: sealed segments of bus shop, 1 place;"), "{lines:?}");
        assert!(begins(4, "journal  DAMAGED: archive all, 3 places;"), "{lines:?}");
    }

    #[test]
    fn the_status_of_an_older_or_newer_router_is_readable() {
        let status: Status =
            serde_json::from_str(r#"{"version":"9","router":{"x":1},"news":[]}"#).unwrap();
        assert_eq!(
            summary("http://a", &status),
            [
                "slipswitch 9 at http://a, up 0s",
                "rules    0 (generation 0)",
                "journal  0 events, 0 B in 0 segments"
            ]
        );
    }
}
