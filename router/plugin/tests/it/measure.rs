use slipswitch_plugin::{Host, Options, measured};

use crate::parts::{Parts, call, options, setup};

#[test]
fn an_engine_that_counts_tells_instructions_and_memory_and_another_does_not() {
    let count = |count_instructions| {
        let host = Host::new(Options { count_instructions, ..options() }).unwrap();
        let plugin = host.load("test", &Parts::default().build()).unwrap();
        let configured = plugin.configure("{}", setup()).unwrap();
        let measure = || {
            let (answer, spent) = measured(|| call(&configured));
            answer.unwrap();
            spent
        };
        let (first, second) = (measure(), measure());
        assert_eq!(first.instructions, second.instructions, "the same work");
        second
    };
    let counted = count(true);
    assert!(counted.instructions.is_some_and(|count| 10 < count && count < 1_000), "{counted:?}");
    assert_eq!(counted.memory_bytes, 2 * 65_536);
    assert_eq!(count(false).instructions, None);
}
