//! Events in EventBridge's envelope, about a kilobyte each, of a shop with many tenants.
//!
//! Fields differ in how many values they have, and so in how far they narrow a rule down:
//!
//! | field | values |
//! |---|---|
//! | `account` | 4 |
//! | `source` | 10 |
//! | `detail-type` | 50, five of each source |
//! | `detail.tenant` and others | `scale`, the argument that grows with the number of rules |
//! | `detail.customer.id` | 3 × `scale` |

use crate::random::Random;

/// Events of a family.
const EVENTS: usize = 1_000;

pub(crate) const ACCOUNTS: u64 = 4;
pub(crate) const KINDS: u64 = 50;

/// The upper end of `detail.latency`.
pub(crate) const LATENCY_MAX: f64 = 1_000_000.0;
/// The upper end of `detail.total.amount`.
pub(crate) const AMOUNT_MAX: f64 = 1_000.0;

/// How regions begin.
pub(crate) const CONTINENTS: [&str; 3] = ["eu-", "us-", "ap-"];
const REGIONS: [&str; 6] =
    ["eu-central-1", "eu-west-1", "eu-north-1", "us-east-1", "us-west-2", "ap-south-1"];
pub(crate) const STATUSES: [&str; 5] = ["new", "open", "paid", "packed", "closed"];
pub(crate) const COUNTRIES: [&str; 8] = ["DE", "FR", "VN", "US", "GB", "JP", "BR", "IN"];
const AGENTS: [&str; 4] =
    ["shop-app/7.2 ios/18", "shop-app/7.1 android/15", "browser/128 linux", "partner-feed/2"];
const SKUS: [&str; 6] = ["TV-55", "TV-65", "PC-13", "PH-6", "HD-2", "KB-1"];
const AREAS: [&str; 10] = [
    "order", "payment", "stock", "shipping", "user", "search", "invoice", "returns", "catalog",
    "mail",
];
pub(crate) const VERBS: [&str; 5] = ["Created", "Updated", "Cancelled", "Failed", "Completed"];

/// `com.shop.order`
pub(crate) fn source(kind: u64) -> String {
    format!("com.shop.{}", area(kind))
}

/// `OrderCreated`
pub(crate) fn detail_type(kind: u64) -> String {
    let area = area(kind);
    let (first, rest) = area.split_at(1);
    let verb = VERBS[usize::try_from(kind / 10 % 5).expect("below five")];
    format!("{}{rest}{verb}", first.to_uppercase())
}

fn area(kind: u64) -> &'static str {
    AREAS[usize::try_from(kind % 10).expect("below ten")]
}

pub(crate) fn account(number: u64) -> String {
    format!("{:012}", 111_122_223_333 * (number + 1))
}

pub(crate) fn tenant(number: u64) -> String {
    format!("t-{number:05}")
}

pub(crate) fn customer(number: u64) -> String {
    format!("c-{number:06}")
}

/// The beginning of an order's id.
pub(crate) fn order(number: u64) -> String {
    format!("o-{number:05}-")
}

/// The end of a trace's id.
pub(crate) fn trace(number: u64) -> String {
    format!("-{number:05}")
}

/// In lower case.
pub(crate) fn login(number: u64) -> String {
    format!("user{number:05}@shop.example")
}

/// A part of a path, with both its slashes.
pub(crate) fn part(number: u64) -> String {
    format!("/w{number}/")
}

/// A thousand events.
pub(crate) fn events(scale: u64) -> Vec<Vec<u8>> {
    let mut random = Random::new(0xe7e);
    (0..EVENTS).map(|_| event(&mut random, scale).into_bytes()).collect()
}

/// An identifier in the form of a UUID.
fn uuid(random: &mut Random) -> String {
    let hex = random.hex(32);
    let at = |from: usize, to: usize| hex.get(from..to).expect("all of it is ASCII");
    format!("{}-{}-{}-{}-{}", at(0, 8), at(8, 12), at(12, 16), at(16, 20), at(20, 32))
}

fn event(random: &mut Random, scale: u64) -> String {
    let kind = random.below(KINDS);
    let region = random.one(&REGIONS);
    let account = account(random.below(ACCOUNTS));
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    format!(
        r#"{{"version":"0","id":"{id}","detail-type":"{kind_name}","source":"{source}","account":"{account}","time":"2026-11-23T{hour:02}:{minute:02}:{second:02}Z","region":"{region}","resources":["arn:aws:shop:{region}:{account}:order/{resource}"],"detail":{detail}}}"#,
        id = uuid(random),
        kind_name = detail_type(kind),
        source = source(kind),
        resource = random.hex(12),
        detail = detail(random, scale),
    )
}

fn detail(random: &mut Random, scale: u64) -> String {
    let mut login = login(random.below(scale));
    if random.chance(50) {
        login = login.to_uppercase();
    }
    let coupon = match random.below(3) {
        0 => r#","coupon":null"#.to_owned(),
        1 => format!(r#","coupon":"SAVE{}""#, random.between(5, 50)),
        _ => String::new(),
    };
    let items: Vec<String> = (0..random.between(1, 4)).map(|_| item(random)).collect();
    format!(
        r#"{{"tenant":"{tenant}","orderId":"{order}{order_rest}","status":"{status}","customer":{{"id":"{customer}","login":"{login}","country":"{country}","vip":{vip}}},"request":{{"path":"/api/v2{part}orders/{path_rest}/items","ip":"10.{ip1}.{ip2}.{ip3}","agent":"{agent}","locale":"{locale}"}},"latency":{latency:.3},"total":{{"amount":{amount:.2},"currency":"EUR"}},"items":[{items}]{coupon},"shipping":{{"method":"{method}","carrier":"carrier-{carrier}","warehouse":"wh-{warehouse:02}","zip":"{zip:05}"}},"payment":{{"method":"{payment}","reference":"{reference}"}},"attempt":{attempt},"trace":"{trace}{trace_end}"}}"#,
        tenant = tenant(random.below(scale)),
        order = order(random.below(scale)),
        order_rest = random.hex(8),
        status = random.one(&STATUSES),
        customer = customer(random.below(3 * scale)),
        country = random.one(&COUNTRIES),
        vip = random.chance(20),
        part = part(random.below(scale)),
        path_rest = random.hex(10),
        ip1 = random.below(256),
        ip2 = random.below(256),
        ip3 = random.below(256),
        agent = random.one(&AGENTS),
        locale = random.one(&["de-DE", "fr-FR", "en-US", "vi-VN"]),
        latency = random.unit() * LATENCY_MAX,
        amount = random.unit() * AMOUNT_MAX,
        items = items.join(","),
        method = random.one(&["standard", "express", "pickup"]),
        carrier = random.below(9),
        warehouse = random.below(40),
        zip = random.below(100_000),
        payment = random.one(&["card", "invoice", "transfer"]),
        reference = random.hex(64),
        attempt = random.between(1, 4),
        trace = random.hex(48),
        trace_end = trace(random.below(scale)),
    )
}

fn item(random: &mut Random) -> String {
    let (sku, quantity) = (random.one(&SKUS), random.between(1, 5));
    let price = random.unit() * AMOUNT_MAX;
    format!(r#"{{"sku":"{sku}","quantity":{quantity},"price":{price:.2}}}"#)
}
