//! Any bytes: an error, or a plugin that stays within its limits; never a panic.

use crate::parts::{Parts, call, component, host, setup};

/// A small generator, so that every run sees the same bytes.
fn numbers(mut seed: u64) -> impl FnMut() -> usize {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 32).unwrap()
    }
}

#[test]
fn damaged_files_never_panic() {
    let host = host();
    let module = Parts::default().with_log().build();
    for (file, seed) in [(component(&module), 17), (module, 4587)] {
        let mut next = numbers(seed);
        for _ in 0..150 {
            let mut bad = file.clone();
            for _ in 0..=next() % 3 {
                let at = next() % bad.len();
                bad[at] = u8::try_from(next() % 256).unwrap();
            }
            if next().is_multiple_of(4) {
                bad.truncate(next() % bad.len());
            }
            if let Ok(plugin) = host.load("test", &bad)
                && let Ok(configured) = plugin.configure("{}", setup())
            {
                drop(call(&configured));
            }
        }
    }
}
