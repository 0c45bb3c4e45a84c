//! Plugins that are not there, are none, or do not want what they are given.

use std::fs;

use expect_test::{Expect, expect};
use receiver::Receiver;

use crate::harness::{LONG, Scene};

const ORDER: &str = r#"{"source":"a","detail-type":"T","detail":{"orderId":"o-1","items":[]}}"#;

fn rule(url: &str, step: &str) -> String {
    format!(
        "name: a\npattern: {{ source: [a] }}\ntargets:\n  - id: out\n    http: '{url}'\n    transform:\n      - {step}\n"
    )
}

/// What `slipswitch check` says, without the rule file's lines that it shows.
#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(scene: &Scene, step: &str, expected: Expect) {
    scene.write("rules/a.yaml", rule("http://127.0.0.1:9/", step));
    let checked = scene.run(&["check"]).expect(78);
    expected.assert_eq(&checked.err);
    scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78).says(&["rules/a.yaml:7:"]);
}

#[test]
fn a_plugin_that_is_missing_is_named_with_what_there_is() {
    let scene = Scene::new().with_plugins(&["redact", "order-summary"]);
    check(
        &scene,
        "plugin: order-sumary",
        expect![[r#"
              × there is no plugin `order-sumary` in plugins
               ╭─[rules/a.yaml:7:17]
             6 │     transform:
             7 │       - plugin: order-sumary
               ·                 ──────┬─────
               ·                       ╰── not found
               ╰────
              help: did you mean `order-summary`?
               see: docs/rules.md#transforms (unknown-plugin)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
}

#[test]
fn a_file_that_is_no_plugin_is_refused_where_a_rule_asks_for_it() {
    let scene = Scene::new();
    scene.write("plugins/text.wasm", "hello");
    check(
        &scene,
        "plugin: text",
        expect![[r#"
              × the plugin `text` cannot be used: not WebAssembly: it begins with `68 65 6c
              │ 6c 6f`; put the .wasm file here that `slipswitch plugin build` makes
               ╭─[rules/a.yaml:7:17]
             6 │     transform:
             7 │       - plugin: text
               ·                 ──┬─
               ·                   ╰── cannot be used
               ╰────
              help: do what is said there; nothing is wrong with the rule
               see: docs/rules.md#transforms (unknown-plugin)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
    scene.write("plugins/empty.wasm", "");
    check(
        &scene,
        "plugin: empty",
        expect![[r#"
              × the plugin `empty` cannot be used: not WebAssembly: it is empty; put the
              │ .wasm file here that `slipswitch plugin build` makes
               ╭─[rules/a.yaml:7:17]
             6 │     transform:
             7 │       - plugin: empty
               ·                 ──┬──
               ·                   ╰── cannot be used
               ╰────
              help: do what is said there; nothing is wrong with the rule
               see: docs/rules.md#transforms (unknown-plugin)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
}

#[test]
fn web_assembly_that_is_no_plugin_is_refused_with_what_it_lacks() {
    let scene = Scene::new();
    // A module, but with nothing in it; a component, but of another world.
    scene.write("plugins/module.wasm", b"\0asm\x01\0\0\0");
    check(
        &scene,
        "plugin: module",
        expect![[r#"
              × the plugin `module` cannot be used: WebAssembly, but no slipswitch plugin:
              │ it does not export slipswitch:plugin/plugin@0.2.0, nor
              │ slipswitch:plugin/transformer@0.2.0, filter or batch-transformer; build it
              │ with `slipswitch plugin build`, from a project with one transformer, filter
              │ or batch transformer
               ╭─[rules/a.yaml:7:17]
             6 │     transform:
             7 │       - plugin: module
               ·                 ───┬──
               ·                    ╰── cannot be used
               ╰────
              help: do what is said there; nothing is wrong with the rule
               see: docs/rules.md#transforms (unknown-plugin)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
    scene.write("plugins/component.wasm", b"\0asm\x0d\0\x01\0");
    check(
        &scene,
        "plugin: component",
        expect![[r#"
              × the plugin `component` cannot be used: WebAssembly, but no slipswitch
              │ plugin: it does not export slipswitch:plugin/plugin@0.2.0, nor
              │ slipswitch:plugin/transformer@0.2.0, filter or batch-transformer; build it
              │ with `slipswitch plugin build`, from a project with one transformer, filter
              │ or batch transformer
               ╭─[rules/a.yaml:7:17]
             6 │     transform:
             7 │       - plugin: component
               ·                 ────┬────
               ·                     ╰── cannot be used
               ╰────
              help: do what is said there; nothing is wrong with the rule
               see: docs/rules.md#transforms (unknown-plugin)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
}

#[test]
fn a_plugin_cut_off_or_with_changed_bytes_is_refused_and_breaks_nothing() {
    let scene = Scene::new().with_plugins(&["redact"]);
    let whole = fs::read(scene.path("plugins/redact.wasm")).unwrap();
    scene.write("rules/a.yaml", rule("http://127.0.0.1:9/", "plugin: redact"));
    for cut in [5, 9, whole.len() / 2, whole.len() - 1] {
        scene.write("plugins/redact.wasm", whole.get(..cut).unwrap());
        scene.run(&["check"]).expect(78).says(&["rules/a.yaml:7:", "`redact` cannot be used"]);
    }
}

#[test]
fn a_broken_plugin_that_no_rule_asks_for_is_shown_and_stops_nothing() {
    let scene = Scene::new().with_plugins(&["redact"]);
    scene.write("plugins/text.wasm", "hello");
    scene.write(
        "rules/a.yaml",
        "name: a\npattern: { source: [a] }\ntargets: [{ id: out, log: console }]\n",
    );
    scene.run(&["check"]).expect(0);
    let router = scene.serve();
    let status = router.run(&["status"]).expect(0).out;
    assert!(status.contains("redact 0.1.0") && status.contains("text (broken:"), "{status}");
}

#[test]
fn a_configuration_that_a_plugin_refuses_is_shown_at_its_place() {
    let scene = Scene::new().with_plugins(&["redact", "order-summary"]);
    check(
        &scene,
        "plugin: redact",
        expect![[r#"
              × the plugin `redact` refuses its configuration: missing field `fields`
               ╭─[rules/a.yaml:7:17]
             6 │     transform:
             7 │       - plugin: redact
               ·                 ───┬──
               ·                    ╰── needs a `config`
               ╰────
              help: `slipswitch plugin inspect …/redact.wasm` shows what it takes
               see: docs/rules.md#transforms (configuration-refused)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
    check(
        &scene,
        "{ plugin: redact, config: { fields: [detail.email] } }",
        expect![[r#"
              × the plugin `redact` refuses its configuration: config.fields[0]: path
              │ `detail.email`, at `detail.email`: expected `$`, then `.name`, `.*`, `[0]`,
              │ `[*]` or `['name']`, as in `$.detail.items[*].note`
               ╭─[rules/a.yaml:7:35]
             6 │     transform:
             7 │       - { plugin: redact, config: { fields: [detail.email] } }
               ·                                   ─────────────┬────────────
               ·                                                ╰── refused
               ╰────
              help: `slipswitch plugin inspect …/redact.wasm` shows what it takes
               see: docs/rules.md#transforms (configuration-refused)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
    check(
        &scene,
        "{ plugin: order-summary, config: { greting: Hi } }",
        expect![[r#"
              × the plugin `order-summary` refuses its configuration: unknown field
              │ `greting`, expected `greeting`
               ╭─[rules/a.yaml:7:42]
             6 │     transform:
             7 │       - { plugin: order-summary, config: { greting: Hi } }
               ·                                          ───────┬───────
               ·                                                 ╰── refused
               ╰────
              help: `slipswitch plugin inspect …/order-summary.wasm` shows what it takes
               see: docs/rules.md#transforms (configuration-refused)
            1 error, 0 warnings in 1 file
            next: slipswitch check
        "#]],
    );
}

#[test]
fn a_plugin_mended_while_dev_waits_is_taken_up() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule(&target.url("/a"), "plugin: order-summary"));
    let router = scene.dev();
    router.process.err.wait_for("there is no plugin `order-summary`", 0);
    let scene = scene.with_plugins(&["order-summary"]);
    router.process.err.wait_for("rules swapped", 0);
    router.send(ORDER).ids();
    assert_eq!(target.wait_for_count("/a", 1, LONG).unwrap()[0].text(), "Order o-1: 0 items");
    drop(scene);
}

#[test]
fn the_shipped_plugins_are_core_modules_and_run_as_they_are() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["order-summary"]);
    let head = fs::read(scene.path("plugins/order-summary.wasm")).unwrap();
    assert_eq!(head.get(..8), Some(&b"\0asm\x01\0\0\0"[..]), "a core module's first bytes");
    scene.write("rules/a.yaml", rule(&target.url("/a"), "plugin: order-summary"));
    let router = scene.serve();
    router.send(ORDER).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.stop().expect(0);
    // Its compiled code was kept; damaged, it is compiled again.
    for entry in fs::read_dir(scene.path("data/plugin-cache")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&path, bytes).unwrap();
    }
    let router = scene.serve();
    router.send(ORDER).ids();
    target.wait_for_count("/a", 2, LONG).unwrap();
}
