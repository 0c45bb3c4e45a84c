use std::path::Path;

use expect_test::{Expect, expect};

use super::{Config, ConfigError, Retention, file};

const SCHEMA: &str = include_str!("../../../../docs/schema/config.json");
const EXAMPLE: &str = include_str!("../../../../docs/slipswitch.example.yaml");

fn parse(text: &str) -> Result<Config, String> {
    file::parse("slipswitch.yaml", text, Path::new("")).map_err(|problems| {
        let line = |one: &bus::ruleset::Diagnostic| {
            format!("{}:{}: {} | {}\n", one.line, one.column, one.message, one.mend)
        };
        problems.iter().map(line).collect()
    })
}

#[track_caller]
fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&parse(text).unwrap_err());
}

#[test]
fn the_example_file_holds_every_default() {
    assert_eq!(parse(EXAMPLE), Ok(Config::default()));
}

/// The keys that the reader says it knows where it finds one that it does not.
fn known(text: &str) -> Vec<String> {
    let said = parse(text).unwrap_err();
    let listed = said.split_once("the keys here are ").expect("a list of keys").1;
    let mut keys: Vec<String> =
        listed.trim().split(", ").map(|key| key.trim_matches('`').to_owned()).collect();
    keys.sort();
    keys
}

#[test]
fn the_schema_has_the_keys_of_the_code_and_their_bounds() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let keys = |section: &serde_json::Value| -> Vec<String> {
        assert_eq!(section["additionalProperties"], false);
        let mut keys: Vec<String> =
            section["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&schema), known("zebraaaaaaaaaaaa: 1"));
    let bus = &schema["$defs"]["bus"];
    assert_eq!(keys(bus), known("buses: { shop: { zebraaaaaaaaaaaa: 1 } }"));
    let retention = &bus["properties"]["retention"];
    assert_eq!(keys(retention), known("buses: { shop: { retention: { zebraaaaaaaaaaaa: 1 } } }"));
    for (name, section) in schema["properties"].as_object().unwrap() {
        let Some(inner) = section["properties"].as_object() else { continue };
        assert_eq!(keys(section), known(&format!("{name}: {{ zebraaaaaaaaaaaa: 1 }}")), "{name}");
        for (key, value) in inner {
            assert!(value["description"].as_str().is_some_and(|text| !text.is_empty()), "{key}");
            let (Some(least), Some(most)) = (value["minimum"].as_u64(), value["maximum"].as_u64())
            else {
                continue;
            };
            let with = |number: u64| parse(&format!("{name}: {{ {key}: {number} }}"));
            assert!(with(least).is_ok() && with(most).is_ok(), "{name}.{key}");
            assert!(with(most + 1).is_err(), "{name}.{key}");
            assert!(least == 0 || with(least - 1).is_err(), "{name}.{key}");
            assert_eq!(with(value["default"].as_u64().unwrap()), Ok(Config::default()));
        }
    }
}

#[test]
fn a_file_without_a_single_key_means_the_defaults() {
    for text in ["", "# nothing\n", "---\n", "limits:\nlog:\n", "{}"] {
        assert_eq!(parse(text), Ok(Config::default()), "{text:?}");
    }
}

#[test]
fn a_value_replaces_its_default_and_no_other() {
    let config = parse("limits: { event_bytes: 2 MiB }\nshutdown: { drain_seconds: 0 }").unwrap();
    let mut expected = Config::default();
    expected.limits.event_bytes = 2 << 20;
    expected.drain = std::time::Duration::ZERO;
    assert_eq!(config, expected);
}

#[test]
fn paths_are_meant_from_the_folder_of_the_file() {
    let config = file::parse("x", "rules_dir: r\ndata_dir: /d", Path::new("/etc/s")).unwrap();
    assert_eq!(config.rules_dir, Path::new("/etc/s/r"));
    assert_eq!(config.data_dir, Path::new("/d"));
    assert_eq!(config.plugins_dir, Path::new("plugins"));
}

#[test]
fn buses_are_a_list_or_a_map_and_default_is_always_there() {
    let names = ["default", "shop", "audit"];
    assert_eq!(parse("buses: [shop, audit]").unwrap().buses, names);
    assert_eq!(parse("buses: { shop: {}, audit: }").unwrap().buses, names);
    assert_eq!(parse("buses: [shop, default]").unwrap().buses, ["shop", "default"]);
}

#[test]
fn a_bus_may_say_by_what_it_knows_an_event_that_comes_again() {
    let config =
        parse("buses: { shop: { deduplicate: source-and-id }, b: { deduplicate: key } }").unwrap();
    assert_eq!(config.bus_settings.keys().collect::<Vec<_>>(), ["shop"]);
    assert!(config.bus_settings["shop"].deduplicates_by_source_and_id);
    refused(
        "buses: { shop: { deduplicate: id } }",
        expect![[r#"
        1:31: unknown value `id` | one of `key`, `source-and-id`
    "#]],
    );
    refused(
        "deduplication: { window: 2d, keys_max: 0 }",
        expect![[r#"
        1:26: window cannot be 2d | write one from 1s to 1d
        1:40: keys_max cannot be 0 | use a number from 1 to 100000000
    "#]],
    );
    refused(
        "deduplication: { window: 5 }",
        expect![[r#"
        1:26: `5` is no span of time | write it as 30s, 5m, 12h or 7d
    "#]],
    );
}

#[test]
fn a_bus_may_weaken_its_durability_and_say_what_it_keeps() {
    let config = parse(
        "buses: { a: { durability: { interval: 250ms } }, b: { durability: synced, retention: { age: 30d, bytes: 1GiB } } }",
    )
    .unwrap();
    let (a, b) = (&config.bus_settings["a"], &config.bus_settings["b"]);
    assert_eq!(a.interval, Some(std::time::Duration::from_millis(250)));
    assert_eq!(a.retention, Retention::default());
    assert_eq!((b.interval, b.retention.bytes), (None, 1 << 30));
    assert_eq!(b.retention.age, std::time::Duration::from_secs(30 * 86_400));
    refused(
        "buses: { a: { durability: fast }, b: { durability: { interval: 2m } }, c: { retention: { age: 1s, bytes: 1 } } }",
        expect![[r#"
            1:27: `fast` is no durability | write `synced`, or `{ interval: 1s }`
            1:64: interval cannot be 2m | write one from 10ms to 1m
            1:95: age cannot be 1s | write one from 1m to 36500d
            1:106: bytes cannot be 1 | use a number from 1048576 to 1152921504606846976
        "#]],
    );
}

#[test]
fn an_account_keeps_its_leading_zeroes_without_quotes() {
    assert_eq!(parse("account: 000000000007").unwrap().account, "000000000007");
}

#[test]
fn an_unknown_key_gets_the_nearest_word() {
    refused(
        "lisen: 127.0.0.1:1",
        expect![[r#"
        1:1: unknown key `lisen` | did you mean `listen`?
    "#]],
    );
    refused(
        "limits:\n  evnt_bytes: 1",
        expect![[r#"
        2:3: unknown key `evnt_bytes` | did you mean `event_bytes`?
    "#]],
    );
    refused(
        "shutdown:\n  zebra: 1",
        expect![[r#"
        2:3: unknown key `zebra` | the keys here are `drain_seconds`
    "#]],
    );
    refused(
        "buses: { shop: { keep: 1 } }",
        expect![[r#"
            1:18: unknown key `keep` | the keys here are `deduplicate`, `durability`, `retention`
        "#]],
    );
}

#[test]
fn values_out_of_bounds_are_reported_together() {
    refused(
        "listen: nowhere\nlimits:\n  depth: 100000\n  event_bytes: 1\nlog:\n  level: inof\nbuses: [a b, x, x]",
        expect![[r#"
            1:9: `nowhere` has no port | write host and port, as in 127.0.0.1:4587, 0.0.0.0:4587 or [::1]:4587
            3:10: depth cannot be 100000 | use a number from 4 to 256
            4:16: event_bytes cannot be 1 | use a number from 1024 to 3145728
            6:10: unknown level `inof` | did you mean `info`?
            7:9: `a b` is no name for a bus | use 1 to 64 letters, digits, `.`, `-` and `_`
            7:17: the bus `x` is named twice | keep one of them
        "#]],
    );
}

#[test]
fn a_value_of_another_type_is_refused_with_what_was_expected() {
    refused(
        "limits: 7",
        expect![[r#"
            1:9: expected a section | write `key: value` lines
        "#]],
    );
    refused(
        "limits: { depth: many }",
        expect![[r#"
            1:18: expected a whole number | write a number without sign and unit
        "#]],
    );
    refused(
        "limits: { depth: -1 }",
        expect![[r#"
            1:18: expected a whole number | write a number without sign and unit
        "#]],
    );
    refused(
        "limits: { event_bytes: 1 TB }",
        expect![[r#"
            1:24: `1 TB` is no number of bytes | write it as 1048576, 512KiB or 16MiB
        "#]],
    );
    refused(
        "log: { format: jsno }",
        expect![[r#"
        1:16: unknown value `jsno` | did you mean `json`?
    "#]],
    );
    refused(
        "listen: [1]",
        expect![[r#"
            1:9: expected a text | write one text
        "#]],
    );
    refused(
        "- a\n- b",
        expect![[r#"
            1:1: expected a section | write `key: value` lines
        "#]],
    );
}

#[test]
fn broken_yaml_names_the_place() {
    refused(
        "listen: 'abc",
        expect![[r#"
            1:9: a text in quotes has no end | close the quotes, or put the whole text in the other kind of quotes
        "#]],
    );
    refused(
        "a: b: c",
        expect![[r#"
            1:1: unknown key `a` | the keys here are `listen`, `data_dir`, `rules_dir`, `plugins_dir`, `buses`, `account`, `region`, `deduplication`, `delivery_log`, `limits`, `http`, `delivery`, `journal`, `dead_letters`, `plugin`, `reload`, `egress`, `shutdown`, `log`, `connections`
            1:5: a `:` where no key can be | put a text that contains `: ` in quotes, and check the indentation of this line
        "#]],
    );
    refused(
        "listen: a:1\nlisten: b:2",
        expect![[r#"
        2:1: the key `listen` stands here twice | keep one of them
    "#]],
    );
    refused(
        "listen: a:1\n---\nlisten: b:2",
        expect![[r#"
            3:1: a second document begins | a configuration is one document: remove the `---`
        "#]],
    );
    refused(
        "limits:\n\tdepth: 7",
        expect![[r#"
            2:2: YAML does not allow a tab here | indent with spaces
        "#]],
    );
}

#[test]
fn sizes_that_contradict_each_other_are_refused() {
    refused(
        "limits: { event_bytes: 2MiB, body_bytes: 1MiB }",
        expect![[r#"
        1:42: an event may have 2097152 bytes, a body fewer | raise body_bytes or lower event_bytes
    "#]],
    );
    let config = parse("limits: { event_bytes: 3MiB, body_bytes: }").unwrap();
    assert_eq!(config.limits.body_bytes, 16 << 20);
    refused(
        "journal: { segment_bytes: 16777217 }",
        expect![[r#"
        1:27: segment_bytes cannot be 16777217 | use a multiple of 4096, such as 64MiB
    "#]],
    );
}

#[test]
fn addresses_need_host_and_port() {
    for good in ["127.0.0.1:0", "localhost:4587", "[::1]:80", "0.0.0.0:65535"] {
        assert_eq!(file::check_address(good), Ok(()), "{good}");
    }
    for bad in ["", "4587", ":4587", "::1:80", "host:", "host:99999", "http://host:80/"] {
        assert!(file::check_address(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_missing_file_means_the_defaults_only_when_nobody_named_it() {
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("other.yaml");
    let error = Config::read(Some(&named)).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("other.yaml"), "{error}");
}

#[test]
fn a_file_that_is_not_text_is_refused_with_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    std::fs::write(&path, b"listen: \xff").unwrap();
    let error = Config::read(Some(&path)).unwrap_err();
    assert!(error.to_string().contains("byte 8"), "{error}");
}

#[test]
fn a_file_of_gigabytes_is_not_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = Config::read(Some(&path)).unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_configuration_or_an_error_with_a_place(text in "(?s).{0,200}|[a-z_]{1,12}: [\\[\\]{}:,'\"& *!|>a-z0-9\n-]{0,60}") {
        if let Err(problems) = file::parse("x", &text, Path::new("")) {
            for one in problems {
                assert!(text.get(one.span.clone()).is_some(), "{one:?}");
                assert!(0 < one.line && 0 < one.column);
                assert!(!one.message.is_empty());
            }
        }
    }
}
