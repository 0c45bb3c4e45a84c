//! Rules over the envelopes: one field that narrows down, and two that do so less.
//!
//! The narrowing field has `scale` values, in rules and events alike, and `scale` grows with the number
//! of rules: so every event matches a handful of rules, however many there are.

use crate::envelopes::{
    self as envelope, ACCOUNTS, AMOUNT_MAX, CONTINENTS, COUNTRIES, KINDS, LATENCY_MAX, STATUSES,
    VERBS,
};
use crate::families::{Family, rule};
use crate::random::Random;

const SEED: u64 = 0x2f1e5;

/// The last field of the envelope's detail.
const PROBE: &[&str] = &["detail", "trace"];

/// A path and its entries.
type Condition = (&'static str, String);

/// Source, kind, and either tenant or one of three customers.
pub(crate) fn exact(count: usize) -> Family {
    let scale = scale(count, 150);
    let mut random = Random::new(SEED);
    let first = |_: &mut Random, kind| ("source", quoted(&envelope::source(kind)));
    let patterns = (0..count).map(|_| exact_rule(&mut random, scale, first)).collect();
    Family { patterns, events: envelope::events(scale), probe: PROBE }
}

/// The same, with one of four accounts in place of the source: the field whose name comes first in any
/// order by name narrows down least.
pub(crate) fn common_first(count: usize) -> Family {
    let scale = scale(count, 600);
    let mut random = Random::new(SEED);
    let first =
        |random: &mut Random, _| ("account", quoted(&envelope::account(random.below(ACCOUNTS))));
    let patterns = (0..count).map(|_| exact_rule(&mut random, scale, first)).collect();
    Family { patterns, events: envelope::events(scale), probe: PROBE }
}

/// Exact, prefix, suffix, wildcard, numeric, anything-but, equals-ignore-case: three fields a rule.
pub(crate) fn mixed(count: usize) -> Family {
    let scale = scale(count, 25);
    let mut random = Random::new(SEED);
    let patterns = (0..count).map(|_| mixed_rule(&mut random, scale)).collect();
    Family { patterns, events: envelope::events(scale), probe: PROBE }
}

/// With addresses, existence, alternatives, nested exclusions and two fields of one element as well.
pub(crate) fn every(count: usize) -> Family {
    let scale = scale(count, 25);
    let mut random = Random::new(SEED);
    let patterns = (0..count)
        .map(|_| match random.below(2) {
            0 => mixed_rule(&mut random, scale),
            _ => special_rule(&mut random, scale),
        })
        .collect();
    Family { patterns, events: envelope::events(scale), probe: PROBE }
}

fn scale(count: usize, part: usize) -> u64 {
    u64::try_from((count / part).max(1)).expect("fewer rules than that")
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn text(operator: &str, text: &str) -> String {
    format!(r#"{{"{operator}": "{text}"}}"#)
}

fn numeric(comparison: &str) -> String {
    format!(r#"{{"numeric": [{comparison}]}}"#)
}

fn written(conditions: &[Condition]) -> String {
    let fields: Vec<(&str, &str)> =
        conditions.iter().map(|(path, entries)| (*path, entries.as_str())).collect();
    rule(&fields)
}

fn exact_rule(
    random: &mut Random,
    scale: u64,
    first: impl Fn(&mut Random, u64) -> Condition,
) -> String {
    let kind = random.below(KINDS);
    let third = if random.chance(50) {
        ("detail.tenant", quoted(&envelope::tenant(random.below(scale))))
    } else {
        let three = [(); 3].map(|()| quoted(&envelope::customer(random.below(3 * scale))));
        ("detail.customer.id", three.join(", "))
    };
    written(&[first(random, kind), ("detail-type", quoted(&envelope::detail_type(kind))), third])
}

fn mixed_rule(random: &mut Random, scale: u64) -> String {
    let narrow = narrow(random, scale);
    let (one, other) = two(random, broad);
    written(&[one, other, narrow])
}

fn special_rule(random: &mut Random, scale: u64) -> String {
    let narrow = if random.chance(30) { address(random, scale) } else { narrow(random, scale) };
    if random.chance(20) {
        let (one, other) = two(random, broad);
        let either = format!("{}, {}", written(&[one]), written(&[other]));
        return written(&[special(random), ("$or", either), narrow]);
    }
    if random.chance(20) {
        let sku = ("detail.items.sku", text("prefix", random.one(&["TV-", "PC-", "HD-", "KB-"])));
        let least = random.between(1, 4);
        return written(&[
            sku,
            ("detail.items.quantity", numeric(&format!(r#"">=", {least}"#))),
            narrow,
        ]);
    }
    let (one, other) = two(random, special);
    written(&[one, other, narrow])
}

/// Two conditions on different fields.
fn two(random: &mut Random, make: fn(&mut Random) -> Condition) -> (Condition, Condition) {
    let one = make(random);
    loop {
        let other = make(random);
        if other.0 != one.0 {
            return (one, other);
        }
    }
}

/// A condition that one of `scale` events fulfils.
fn narrow(random: &mut Random, scale: u64) -> Condition {
    let number = random.below(scale);
    match random.below(7) {
        0 => ("detail.tenant", quoted(&envelope::tenant(number))),
        1 => ("detail.customer.id", {
            let three = [(); 3].map(|()| quoted(&envelope::customer(random.below(3 * scale))));
            three.join(", ")
        }),
        2 => ("detail.orderId", text("prefix", &envelope::order(number))),
        3 => ("detail.trace", text("suffix", &envelope::trace(number))),
        4 => {
            let entry = text("wildcard", &format!("*{}*", envelope::part(number)));
            ("detail.request.path", entry)
        }
        5 => ("detail.customer.login", text("equals-ignore-case", &envelope::login(number))),
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "a scale is far below 2^52")]
            let width = LATENCY_MAX / scale as f64;
            let bottom = random.unit() * (LATENCY_MAX - width);
            let top = bottom + width;
            ("detail.latency", numeric(&format!(r#"">=", {bottom:.3}, "<", {top:.3}"#)))
        }
    }
}

/// A condition that some tenth to four fifths of all events fulfil.
fn broad(random: &mut Random) -> Condition {
    match random.below(8) {
        0 => ("source", quoted(&envelope::source(random.below(KINDS)))),
        1 => ("detail-type", text("suffix", random.one(&VERBS))),
        2 => ("region", text("prefix", random.one(&CONTINENTS))),
        3 => ("detail.status", text("anything-but", random.one(&STATUSES))),
        4 => {
            let country = random.one(&COUNTRIES).to_lowercase();
            ("detail.customer.country", text("equals-ignore-case", &country))
        }
        5 => (
            "detail.request.agent",
            text("wildcard", random.one(&["shop-app/*ios*", "*/*linux", "*-*/*"])),
        ),
        6 => {
            let least = random.unit() * AMOUNT_MAX;
            ("detail.total.amount", numeric(&format!(r#"">=", {least:.2}"#)))
        }
        _ => {
            let (bottom, width) = (random.unit() * 500.0, 100.0 + random.unit() * 400.0);
            let top = bottom + width;
            ("detail.items.price", numeric(&format!(r#"">", {bottom:.2}, "<=", {top:.2}"#)))
        }
    }
}

/// A network that about one of `scale` addresses is in.
fn address(random: &mut Random, scale: u64) -> Condition {
    let bits = 8 + scale.next_power_of_two().ilog2();
    let [one, two, three] = [(); 3].map(|()| random.below(256));
    ("detail.request.ip", text("cidr", &format!("10.{one}.{two}.{three}/{bits}")))
}

/// As [`broad`], with the operators that not every engine knows.
fn special(random: &mut Random) -> Condition {
    let except = |inner: &str| format!(r#"{{"anything-but": {inner}}}"#);
    match random.below(8) {
        0 => ("detail.coupon", r#"{"exists": true}"#.to_owned()),
        1 => ("detail.coupon", format!(r#"{}, {{"exists": false}}"#, text("prefix", "SAVE1"))),
        2 => ("detail.refund", r#"{"exists": false}"#.to_owned()),
        3 => ("region", except(&text("prefix", random.one(&CONTINENTS)))),
        4 => ("detail-type", except(&text("suffix", random.one(&VERBS)))),
        5 => {
            let country = random.one(&COUNTRIES).to_lowercase();
            ("detail.customer.country", except(&text("equals-ignore-case", &country)))
        }
        6 => {
            ("detail.request.agent", except(&text("wildcard", random.one(&["*/7.* *", "*linux"]))))
        }
        _ => ("detail.customer.vip", random.chance(50).to_string()),
    }
}
