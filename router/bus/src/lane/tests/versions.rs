//! Which version of its rule an event meets.

use super::*;
use crate::lane::versions::{Versions, then};

#[test]
fn each_part_of_the_journal_meets_the_version_of_its_time() {
    let (first, second) = (testing::route(), testing::fresh_route());
    let mut model = Model::new(vec![true; 40]);
    let at = |model: &Model, offset| {
        let versions = model.lane.lock().versions();
        versions.at(Offset::new(offset)).map(|version| Arc::clone(&version.route))
    };
    for _ in 0..10 {
        model.dispatch(); // Four fit: the lane is behind from the fifth on.
    }
    model.lane.adopt(Arc::clone(&second), Offset::new(10));
    model.lane.retire(Offset::new(20), Timestamp::from_millis(0));
    model.lane.adopt(Arc::clone(&second), Offset::new(30));
    assert!(Arc::ptr_eq(&at(&model, 9).unwrap(), &first));
    assert!(Arc::ptr_eq(&at(&model, 10).unwrap(), &second));
    assert!(at(&model, 20).is_none() && at(&model, 29).is_none(), "the rule was not there");
    assert!(Arc::ptr_eq(&at(&model, 30).unwrap(), &second));
    for swap in 31..200 {
        model.lane.adopt(Arc::clone(&second), Offset::new(swap));
    }
    assert!(at(&model, 5).is_some(), "very old parts meet a later version, not none");
}

#[test]
fn what_is_written_down_is_read_back_for_who_has_not_had_it() {
    let now = testing::route();
    let text = now.rule.pattern.text().to_owned();
    let was = r#"{"source":["was"]}"#;
    let mut written = then(&Vec::new(), Offset::new(7), Some(was));
    assert_eq!(written, [(Offset::ZERO, Some(was.to_owned()))], "the first covers all before it");
    for (from, pattern) in [(10, Some(was)), (20, None), (30, Some(text.as_str())), (30, None)] {
        written = then(&written, Offset::new(from), pattern);
    }
    written = then(&written, Offset::new(25), Some(&text));
    let all = [
        (Offset::ZERO, Some(was.to_owned())),
        (Offset::new(20), None),
        (Offset::new(30), Some(text)),
    ];
    assert_eq!(written, all, "what does not change anything is left out, and beginnings ascend");
    let versions = |settled| Versions::read(&written, &now, Offset::new(settled));
    assert_eq!(versions(5).written(), all);
    assert_eq!(versions(5).last_from(), Some(Offset::new(30)));
    assert!(versions(5).at(Offset::new(25)).is_none());
    let from_zero = |written: &[(Offset, Option<String>)]| {
        let (first, more) = written.split_first().unwrap();
        [&[(Offset::ZERO, first.1.clone())], more].concat()
    };
    assert_eq!(versions(20).written(), from_zero(&all[1..]));
    let last = versions(30);
    assert_eq!((last.written(), last.last_from()), (from_zero(&all[2..]), None));
}
