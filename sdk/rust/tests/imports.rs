//! What built plugins ask the router for: what their code calls, and the log for panics.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wasmparser::{Parser, Payload};

#[test]
fn a_plugin_asks_only_for_what_it_calls() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let expected = BTreeMap::from([
        ("keep-source", "log.log"),
        ("order-summary", "log.log"),
        ("redact", "log.log"),
        ("split-items", "log.log"),
        ("geo-ip-lite", "log.log"),
        ("misbehave", "log.log"),
        ("dedupe-window", "log.log state.get state.set"),
        (
            "tally",
            "clock.now log.log metrics.count metrics.observe random.bytes random.number state.delete state.get \
             state.increment state.set",
        ),
    ]);
    for (name, expected) in expected {
        let file = plugins.join(name).with_extension("wasm");
        let bytes = fs::read(&file).unwrap_or_else(|error| {
            panic!("{}: {error}; run cargo xtask plugins first", file.display())
        });
        let mut asked = Vec::new();
        for payload in Parser::new(0).parse_all(&bytes) {
            let Payload::ImportSection(imports) = payload.unwrap() else { continue };
            for import in imports.into_imports() {
                let import = import.unwrap();
                let interface = import.module.strip_prefix("slipswitch:plugin/").unwrap();
                let interface = interface.strip_suffix("@0.2.0").unwrap();
                asked.push(format!("{interface}.{}", import.name));
            }
        }
        asked.sort();
        assert_eq!(asked.join(" "), expected, "{name}");
    }
}
