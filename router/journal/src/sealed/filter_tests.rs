use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;

fn filter(keys: &[u64], values: &[(u8, &[u8])]) -> FilterBytes {
    let mut gathered = Keys::default();
    keys.iter().for_each(|key| gathered.key(*key));
    values.iter().for_each(|(field, value)| gathered.value(*field, value));
    encode(&gathered)
}

proptest! {
    #[test]
    fn a_filter_never_denies_what_it_was_given(
        keys in vec(any::<u64>(), 0..100),
        values in vec((0..4_u8, vec(any::<u8>(), 0..300)), 0..100),
        absent in (0..5_u8, vec(any::<u8>(), 0..5)),
    ) {
        let given: Vec<_> = values.iter().map(|(field, value)| (*field, &value[..])).collect();
        let filter = filter(&keys, &given);
        prop_assert!(filter.is_sound());
        prop_assert!(keys.iter().all(|key| filter.may_hold_key(*key)));
        prop_assert!(given.iter().all(|(field, value)| filter.may_hold_value(*field, value)));

        let (field, value) = absent;
        let known: BTreeSet<_> =
            given.iter().filter(|(other, _)| *other == field).map(|(_, value)| *value).collect();
        if known.len() <= VALUES_MAX && known.iter().all(|value| value.len() <= 255) {
            prop_assert_eq!(filter.may_hold_value(field, &value), known.contains(&value[..]));
        }
    }

    #[test]
    fn hostile_filters_deny_nothing_they_cannot_know_and_never_panic(
        bytes in vec(any::<u8>(), 0..200),
        field in any::<u8>(),
        key in any::<u64>(),
    ) {
        let filter = FilterBytes(bytes.into());
        let sound = filter.is_sound();
        prop_assert!(filter.may_hold_key(key) || sound);
        let _answer = filter.may_hold_value(field, b"value");
    }
}

#[test]
fn a_filter_that_says_nothing_denies_nothing() {
    let unknown = FilterBytes::default();
    assert!(unknown.may_hold_key(1) && unknown.may_hold_value(0, b"x"));
}

#[test]
fn a_block_without_keys_denies_every_key_and_a_field_without_values_every_value() {
    let filter = filter(&[], &[(1, b"x")]);
    assert!(!filter.may_hold_key(1));
    assert!(!filter.may_hold_value(0, b"x"));
    assert!(filter.may_hold_value(1, b"x") && !filter.may_hold_value(1, b"y"));
}

#[test]
fn too_many_keys_and_values_are_any() {
    let mut keys = Keys::default();
    (0..=KEYS_MAX as u64).for_each(|key| keys.key(key));
    (0..=VALUES_MAX as u64).for_each(|value| keys.value(0, &value.to_le_bytes()));
    keys.value(1, &[0; 256]);
    assert!(keys.keys.is_empty(), "nothing more is gathered");
    let filter = encode(&keys);
    assert!(filter.0.len() < 20);
    assert!(filter.may_hold_key(u64::MAX) && filter.may_hold_value(0, b"x"));
    assert!(filter.may_hold_value(1, b"x") && !filter.may_hold_value(2, b"x"));
    keys.clear();
    assert_eq!(encode(&keys), filter_of_nothing());
}

fn filter_of_nothing() -> FilterBytes {
    filter(&[], &[])
}
