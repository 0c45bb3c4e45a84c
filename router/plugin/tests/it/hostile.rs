//! Any bytes: an error, or a plugin that stays within its limits; never a panic. What the fuzzer does for hours, every
//! test run does for seconds.

#[path = "../../fuzz/src/lib.rs"]
pub mod targets;

/// A small generator, so that every run sees the same bytes.
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 32).unwrap() % below
    }
}

fn some_bytes(next: &mut impl FnMut(usize) -> usize, count: usize) -> Vec<u8> {
    (0..count).map(|_| u8::try_from(next(256)).unwrap()).collect()
}

#[test]
fn damaged_files_never_panic() {
    let mut next = numbers(4587);
    for _ in 0..200 {
        // Few edits: most of them are behind what is checked first.
        let which = next(256);
        let count = 3 * next(4) + usize::from(next(4) == 0);
        let mut bytes = some_bytes(&mut next, 1 + count);
        bytes[0] = u8::try_from(which).unwrap().max(1);
        targets::load(&bytes);
    }
    for file in targets::files() {
        targets::load(file);
        for cut in [4, 8, 9, file.len() / 2, file.len() - 1] {
            targets::load(&file[..cut]);
        }
    }
}

#[test]
fn arbitrary_answers_and_arguments_never_panic() {
    let mut next = numbers(17);
    for _ in 0..4_000 {
        let count = 1 + next(120);
        let mut bytes = some_bytes(&mut next, count);
        // Numbers that mean something more often than chance would have it.
        for byte in &mut bytes[1..] {
            *byte = match next(4) {
                0 => *byte,
                1 => u8::try_from(next(5)).unwrap(),
                _ => 0,
            };
        }
        targets::output(&bytes);
    }
    targets::output(&[]);
}

#[test]
fn packages_that_need_each_other_do_not_use_up_the_stack() {
    // What the generator above found: a letter of a package's name in the types of a filter.
    targets::load(b"\x55\x96\x1e\xd5\x63\xdd\x67");
}
