use super::*;

fn row(offset: u64, order: Option<u64>, due_at: i64) -> InShort {
    let place = Place { offset, output: 0, replay: None };
    InShort { place, due_at: Timestamp::from_millis(due_at), order, is_unmade: false }
}

#[test]
fn what_comes_back_goes_before_what_came_later_and_nothing_beside_it() {
    let mut waiting = Waiting::load(vec![row(4, Some(7), 0), row(6, Some(7), 0)]);
    waiting.resume(vec![row(1, Some(7), 9), row(2, None, 9)]);
    let due = |waiting: &mut Waiting, at| {
        waiting.take_due(Timestamp::from_millis(at)).map(|retry| retry.place.offset)
    };
    assert_eq!(due(&mut waiting, 5), None, "4 and 6 wait for 1");
    assert_eq!([(); 3].map(|()| due(&mut waiting, 9)), [Some(1), Some(2), None]);
}

#[test]
fn replays_are_told_apart() {
    let again = |name: &str| {
        let place = Place { offset: 3, output: 1, replay: Some(name.into()) };
        InShort { place, ..row(3, None, 0) }
    };
    let rows = vec![row(3, None, 0), again("a"), again("b")];
    let places: Vec<Place> = rows.iter().map(|row| row.place.clone()).collect();
    let mut waiting = Waiting::load(rows);
    let found: Vec<Place> = waiting.of_event(3).map(|(place, _)| place).collect();
    assert_eq!(found, places);
    let key = Key::live("default", "rule", "target");
    for place in &places {
        waiting.take_due(Timestamp::from_millis(0));
        waiting.leave(&key, place);
    }
    assert!(waiting.is_empty() && waiting.replays.is_empty());
}
