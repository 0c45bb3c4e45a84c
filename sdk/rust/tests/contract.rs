//! What the SDK carries of the contract, held against `sdk/wit`.

use std::path::Path;
use std::{env, fs};

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

const WORLDS: [&str; 3] = ["transformer-plugin", "filter-plugin", "batch-transformer-plugin"];

/// `UPDATE_CONTRACT=1 cargo test -p slipswitch-sdk --test contract` writes them anew.
#[test]
fn the_worlds_that_plugins_carry_are_those_of_the_contract() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = fs::read_to_string(here.join("../wit/plugin.wit")).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", &contract).unwrap();
    for name in WORLDS {
        let world = resolve.select_world(&[package], Some(name)).unwrap();
        let expected = metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();
        let carried = here.join("src/abi").join(name).with_extension("bin");
        if env::var_os("UPDATE_CONTRACT").is_some() {
            fs::write(&carried, &expected).unwrap();
        }
        assert_eq!(fs::read(&carried).unwrap(), expected, "{}", carried.display());
    }
}
