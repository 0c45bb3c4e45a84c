//! The path of an event: in over HTTP, matched, transformed, delivered.

use expect_test::{Expect, expect};
use receiver::{Receiver, Request};

use crate::harness::{LONG, Scene, repository};

/// Numbers that no float holds, keys out of order, escapes, white space.
const ORDER: &str = r#"{"id":"e-1","time":"2026-11-23T08:00:00Z","source":"com.shopvn.order","detail-type":"OrderCreated","detail":{"zeta":1.10, "orderId":"o-1","alpha":1e400,"big":123456789012345678901234567890,"customer":{"name":"Lan \"\u00e9\/\"","email":"lan@mail.example"},"items":[{"sku":"B","price":1.10},{"price":-0.0,"sku":"A","quantity":2}],"totalAmount":1250000.50,"currency":"VND"}}"#;

fn rule(name: &str, url: &str, transform: &str) -> String {
    format!(
        "
name: {name}
bus: shop
pattern: {{ source: [com.shopvn.order], detail: {{ totalAmount: [{{ numeric: ['>', 1000000] }}] }} }}
targets:
  - id: out
    http: {{ url: {url}, headers: {{ x-for: {name} }} }}
    {transform}
---"
    )
}

fn bodies(requests: &[Request], path: &str) -> Vec<String> {
    let mut on_path: Vec<&Request> = requests.iter().filter(|one| one.path == path).collect();
    on_path.sort_by_key(|request| request.delivery_id().map(str::to_owned));
    on_path.into_iter().map(Request::text).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(requests: &[Request], path: &str, expected: Expect) {
    expected.assert_eq(&bodies(requests, path).join("\n"));
}

#[test]
fn an_event_passes_each_plugin_and_a_template_and_keeps_its_bytes() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["redact", "order-summary", "split-items"]);
    let transforms = [
        ("plain", ""),
        ("redacted", "transform: [{ plugin: redact, config: { fields: [$.detail.customer] } }]"),
        ("summary", "transform: [{ plugin: order-summary, config: { greeting: Hello! } }]"),
        ("items", "transform: [{ plugin: split-items }]"),
        (
            "template",
            r#"transform: [{ input: { paths: { z: $.detail.zeta, a: $.detail.alpha, b: $.detail.big, n: $.detail.customer.name, i: "$.detail.items[1]" }, template: '{"z":<z>, "a":<a>,"b":<b>,"text":"for <n>: <z>","item":<i>}' } }]"#,
        ),
        (
            "chained",
            r#"transform: [{ plugin: split-items }, { input: { paths: { sku: $.detail.item.sku, price: $.detail.item.price }, template: '<sku> at <price>' } }]"#,
        ),
    ];
    let rules = transforms.map(|(name, text)| rule(name, &target.url(&format!("/{name}")), text));
    scene.write("rules/shop.yaml", rules.concat());
    let router = scene.serve();

    assert_eq!(router.send_to("shop", ORDER).ids(), ["e-1"]);
    let small = ORDER.replace("1250000.50", "1000000").replace("e-1", "e-2");
    assert_eq!(router.send_to("shop", &small).ids(), ["e-2"], "taken, and matched by nothing");
    let requests = target.wait_for(LONG, |requests| requests.len() >= 8).unwrap();

    check(
        &requests,
        "/plain",
        expect![[
            r#"{"version":"0","id":"e-1","detail-type":"OrderCreated","source":"com.shopvn.order","account":"000000000000","time":"2026-11-23T08:00:00Z","region":"local","resources":[],"detail":{"zeta":1.10, "orderId":"o-1","alpha":1e400,"big":123456789012345678901234567890,"customer":{"name":"Lan \"\u00e9\/\"","email":"lan@mail.example"},"items":[{"sku":"B","price":1.10},{"price":-0.0,"sku":"A","quantity":2}],"totalAmount":1250000.50,"currency":"VND"}}"#
        ]],
    );
    check(
        &requests,
        "/redacted",
        expect![[
            r#"{"version":"0","id":"e-1","detail-type":"OrderCreated","source":"com.shopvn.order","account":"000000000000","time":"2026-11-23T08:00:00Z","region":"local","resources":[],"detail":{"zeta":1.10, "orderId":"o-1","alpha":1e400,"big":123456789012345678901234567890,"items":[{"sku":"B","price":1.10},{"price":-0.0,"sku":"A","quantity":2}],"totalAmount":1250000.50,"currency":"VND"}}"#
        ]],
    );
    check(
        &requests,
        "/summary",
        expect![[r#"Hello! Order o-1 from Lan "é/": 3 items, 1,250,000.50 VND"#]],
    );
    check(
        &requests,
        "/items",
        expect![[r#"
        {"source":"com.shopvn.order","detail-type":"OrderItem","detail":{"orderId":"o-1","currency":"VND","item":{"sku":"B","price":1.10},"index":0,"of":2}}
        {"source":"com.shopvn.order","detail-type":"OrderItem","detail":{"orderId":"o-1","currency":"VND","item":{"price":-0.0,"sku":"A","quantity":2},"index":1,"of":2}}"#]],
    );
    check(
        &requests,
        "/template",
        expect![[
            r#"{"z":1.10,"a":1e400,"b":123456789012345678901234567890,"text":"for Lan \"\u00e9\/\": 1.10","item":{"price":-0.0,"sku":"A","quantity":2}}"#
        ]],
    );
    check(
        &requests,
        "/chained",
        expect![[r#"
        B at 1.10
        A at -0.0"#]],
    );
    assert_eq!(requests.len(), 8, "and nothing else");
}

#[test]
fn a_delivery_says_what_it_is_in_its_headers() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["split-items"]);
    let transform = "transform: [{ plugin: split-items }]";
    scene.write("rules/shop.yaml", rule("items", &target.url("/items"), transform));
    let router = scene.serve();
    router.send_to("shop", ORDER).ids();
    let mut requests = target.wait_for_count("/items", 2, LONG).unwrap();
    requests.sort_by_key(|request| request.delivery_id().map(str::to_owned));
    let second = requests.get(1).unwrap();
    for (name, value) in [
        ("content-type", "application/json"),
        ("slipswitch-delivery-id", "shop/0/items/out/1"),
        ("slipswitch-event-id", "e-1"),
        ("slipswitch-attempt", "1"),
        ("slipswitch-bus", "shop"),
        ("slipswitch-rule", "items"),
        ("slipswitch-target", "out"),
        ("x-for", "items"),
    ] {
        assert_eq!(second.header(name), Some(value), "{name}");
    }
    assert!(second.header("user-agent").unwrap().starts_with("slipswitch/"));
    assert_eq!(second.method, "POST");
}

#[test]
fn the_example_shops_rules_pass_their_own_tests_with_the_shipped_plugins() {
    let rules = repository().join("rules");
    // Those that the rules name: a debug build takes long over one in Python.
    let scene = Scene::new().with_plugins(&["order-summary", "redact", "split-items"]);
    let plugins = scene.path("plugins");
    let folders = ["--rules", rules.to_str().unwrap(), "--plugins", plugins.to_str().unwrap()];
    let tested = scene.run(&[&["test"], &folders[..]].concat()).expect(0);
    assert!(
        tested.out.ends_with(" 0 failed\n") && !tested.out.contains(" 0 passed"),
        "{}",
        tested.out
    );
    let checked = scene.run(&[&["check"], &folders[..]].concat()).expect(0);
    assert!(checked.out.ends_with(": no problem\n"), "{}", checked.out);
}
