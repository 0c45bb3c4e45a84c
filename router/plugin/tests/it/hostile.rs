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

/// An input of `output` whose steps call imports with numbers that mean something, most of them.
fn some_steps(next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut byte = |below: usize| u8::try_from(next(below)).unwrap();
    let steps = byte(8);
    let turn = [0, 64 | 1, 64 | 2, 64 | 129][usize::from(byte(4))];
    let mut input = vec![byte(8) | steps << 3 | byte(4) << 6, turn];
    // Most numbers are addresses and lengths: of the steps, of nothing, or near an end of the memory.
    let mut number = || {
        let near = i32::from(byte(32)) - 8;
        match byte(10) {
            0 => 0,
            1..=3 => 1_024 + i32::from(byte(160)),
            4 => 131_072 + near,
            5 => near << 12,
            6 => i32::from(byte(2)),
            7 => 8 * i32::from(byte(100)),
            _ => near.max(0),
        }
    };
    input.extend(number().to_le_bytes());
    for _ in 0..steps {
        input.extend(number().rem_euclid(12).to_le_bytes());
        input.extend((0..6).flat_map(|_| number().to_le_bytes()));
    }
    input.extend((0..number().rem_euclid(40)).flat_map(|_| number().to_le_bytes()));
    input
}

#[test]
fn whoever_is_called_directly_does_what_its_component_does() {
    let mut next = numbers(91);
    let mut answered = 0;
    for _ in 0..4_000 {
        let input = some_steps(&mut next);
        targets::output(&input);
        answered += usize::from(targets::answers(&input).iter().all(Result::is_ok));
    }
    // Of both kinds enough.
    assert!((500..3_500).contains(&answered), "{answered}");
}

#[test]
fn whoever_is_called_directly_breaks_the_contract_where_its_component_does() {
    const AT: u32 = 1_024;
    const END: u32 = 131_072;
    let log = |numbers: [u32; 5]| [&[1], &numbers[..], &[0]].concat();
    let increment = |result| vec![10, AT, 1, 1, 0, 0, result];
    // In a transformer: an import with what it is given, or the answer.
    for (steps, numbers, is_answered) in [
        (1, log([2, 16, 4, 0, 0]), true),
        (1, log([2, 16, END, 0, 0]), false),
        (1, log([2, 16, 4, 2, 1]), false),
        (1, log([2, 16, 4, END - 8, 1]), false),
        // Nobody wants to see it; it has to be there all the same.
        (1, log([0, END, 4, 0, 0]), false),
        (1, log([0, 16, 4, 0, END]), false),
        // As much as wasmtime makes of it is more than one call may hand over.
        (1, log([2, 16, 4, 0, 4_000]), false),
        // A result is put only where each of its cases has room.
        (1, vec![9, AT, 1, 0, 0, 0, END - 16], true),
        (1, vec![9, AT, 1, 0, 0, 0, END - 12], false),
        (1, vec![8, AT, 1, AT, 1, 0, END - 4], false),
        (1, vec![7, AT, 3, 0, 0, 0, END - 4], false),
        (1, vec![6, 3, 0, 0, 0, 0, END - 8], true),
        (1, vec![6, 3, 0, 0, 0, 0, END - 4], false),
        (1, increment(END - 24), true),
        (1, increment(END - 16), false),
        (1, increment(END - 28), false),
        // One output of a text that is long, and no text.
        (0, vec![0, AT + 16, 1, 0, AT, 100_000, 0, 0, u32::MAX], false),
        // More outputs than may be handed over, at no good place.
        (0, vec![0, 2, 7_000, 0], false),
    ] {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        let input: Vec<u8> = [3 | steps << 3, 0, 0, 0, 0, 0].into_iter().chain(bytes).collect();
        targets::output(&input);
        let answers = targets::answers(&input);
        assert_eq!(answers[0].is_ok(), is_answered, "{steps}, {numbers:?}: {answers:?}");
    }
}

/// Of these events one after the other or in a list: all answered, or all refused.
fn is_answered(what: u8, turn: u8, place: u32) -> bool {
    // All of a transformer's or a filter's answer is zero; that of a batch transformer is a list of as many answers.
    let list = [3_000, 4_u32].map(u32::to_le_bytes).concat();
    let bytes = if what % 3 == 2 { list } else { Vec::new() };
    let input = [&[what | 0xC0, turn], &place.to_le_bytes()[..], &bytes].concat();
    let answers = targets::answers(&input);
    assert_eq!(answers.len(), 4);
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(matches!(answered, 0 | 4), "{answers:?}");
    answered == 4
}

#[test]
fn a_place_outside_of_its_memory_is_refused_whoever_answers_with_it() {
    const FROM_THE_END: u8 = 128;
    for what in 0..6 {
        assert!(is_answered(what, 0, 0), "an honest answer: {what}");
        assert!(is_answered(what, 1, 100_000), "another place: {what}");
        for place in [1 << 30, u32::MAX, u32::MAX - 3] {
            assert!(!is_answered(what, 1, place), "{what}, {place}");
        }
        for before in [0, 4, 8] {
            let place = 0_u32.wrapping_sub(before);
            let is_text = what < 2 && before > 0; // The first text of all, the id, has three letters.
            assert_eq!(is_answered(what, 1 | FROM_THE_END, place), is_text, "{what}, {before}");
        }
        assert_eq!(is_answered(what, 1, 100_001), what < 2, "a table has to be aligned: {what}");
        // A batch transformer is asked for the list first, and then for the events.
        let is_event_whole = is_answered(what, 2, u32::MAX);
        assert_eq!(is_event_whole, matches!(what, 3 | 4), "{what}");
    }
}

#[test]
fn packages_that_need_each_other_do_not_use_up_the_stack() {
    // What the generator above found: a letter of a package's name in the types of a filter.
    let filter = &targets::files()[1];
    let package = b"slipswitch:plugin/";
    let places = (0..filter.len()).filter(|at| filter[*at..].starts_with(package));
    let places: Vec<_> = places.collect();
    assert!(places.len() > 5, "{places:?}");
    for at in places {
        let mut file = filter.clone();
        file[at] = b'g';
        targets::load(&file);
    }
}
