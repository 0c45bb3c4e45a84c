//! Where the built things are.

use std::env;
use std::path::{Path, PathBuf};

/// The `slipswitch` to test: `SLIPSWITCH_BIN`, else the one beside this test's own binary.
pub(crate) fn binary() -> PathBuf {
    if let Some(named) = env::var_os("SLIPSWITCH_BIN") {
        return PathBuf::from(named);
    }
    let this = env::current_exe().unwrap();
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join("slipswitch"));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no slipswitch near {}: build it first: cargo build -p slipswitch-cli, or run cargo xtask test",
            this.display()
        )
    })
}

/// A shared object that was built together with this test.
pub(crate) fn beside(name: &str) -> PathBuf {
    let path = env::current_exe().unwrap().with_file_name(name);
    assert!(path.is_file(), "no {}: it is built with these tests", path.display());
    path
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A plugin as `cargo xtask plugins` leaves it.
pub(crate) fn plugin(name: &str) -> PathBuf {
    let path = repository().join("plugins").join(name).with_extension("wasm");
    assert!(path.is_file(), "no {}: run cargo xtask plugins first", path.display());
    path
}
