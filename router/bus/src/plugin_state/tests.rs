use std::sync::Mutex as StdMutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use plugin::{StateAccess, StateError};
use rusqlite::Connection;

use super::*;
use crate::state::Kept;

/// A database of its own, and the state over it.
struct Disk {
    folder: tempfile::TempDir,
    store: Arc<PluginState>,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        crate::state::prepare(&Connection::open(&path).unwrap(), &path).unwrap();
        let store = PluginState::new(Reader::file(&path));
        Self { folder, store }
    }

    /// As a process that begins now sees it.
    fn reopened(&self) -> Arc<PluginState> {
        PluginState::new(Reader::file(&self.folder.path().join("state.sqlite")))
    }

    /// A round of writing down.
    fn flush(&self) {
        let ((), keeping) = self.store.gather(|| ());
        let mut connection = Connection::open(self.folder.path().join("state.sqlite")).unwrap();
        let tx = connection.transaction().unwrap();
        keeping.iter().try_for_each(|keeping| keeping.apply(&tx)).unwrap();
        tx.commit().unwrap();
        self.store.written(&keeping);
    }

    fn sweep(&self, now: i64) -> usize {
        let mut connection = Connection::open(self.folder.path().join("state.sqlite")).unwrap();
        let tx = connection.transaction().unwrap();
        let over = self.store.over(Timestamp::from_millis(now));
        let swept = crate::state::sweep(&tx, &over, 10).unwrap();
        tx.commit().unwrap();
        self.store.swept(&swept);
        swept.len()
    }

    fn event<T>(&self, work: impl FnOnce(&View) -> T, succeeds: bool) -> T {
        self.event_at(Timestamp::from_millis(0), work, succeeds)
    }

    fn event_at<T>(&self, time: Timestamp, work: impl FnOnce(&View) -> T, succeeds: bool) -> T {
        self.store.in_turn(&["p"], (&"shop".into(), None, time), |state| {
            let view = state.of("p");
            let done = work(&view);
            view.keep();
            if succeeds {
                self.store.take_effect(state, || ());
            }
            done
        })
    }

    fn get(store: &Arc<PluginState>, replay: Option<&str>, key: &str) -> Option<String> {
        let replay = replay.map(Arc::from);
        store.in_turn(
            &["p"],
            (&"shop".into(), replay.as_ref(), Timestamp::from_millis(0)),
            |state| {
                let value = state.of("p").get(key, 0).unwrap();
                value.map(|value| String::from_utf8(value).unwrap())
            },
        )
    }
}

#[test]
fn what_an_event_writes_takes_effect_when_it_succeeds_and_is_kept() {
    let disk = Disk::new();
    let add = |view: &View| view.increment("n", 2, None, 0).unwrap();
    assert_eq!((disk.event(add, true), disk.event(add, false), disk.event(add, true)), (2, 4, 4));
    assert_eq!(Disk::get(&disk.reopened(), None, "n"), None, "nothing is written down yet");
    disk.flush();
    assert_eq!(Disk::get(&disk.reopened(), None, "n").as_deref(), Some("4"));
    assert_eq!(Disk::get(&disk.store, Some("again"), "n"), None, "a replay begins empty");
    disk.event(|view| view.delete("n").unwrap(), true);
    assert_eq!(Disk::get(&disk.store, None, "n"), None);
    assert_eq!(Disk::get(&disk.reopened(), None, "n").as_deref(), Some("4"));
    disk.flush();
    assert_eq!(Disk::get(&disk.reopened(), None, "n"), None);
}

#[test]
fn what_is_no_number_is_not_added_to_and_stays() {
    let disk = Disk::new();
    let add = |view: &View| view.increment("n", 2, None, 0);
    for text in ["", "three", "1.5", " 1", "9223372036854775808"] {
        disk.event(|view| view.set("n", text.into(), None).unwrap(), true);
        let error = disk.event(add, true).unwrap_err();
        assert_eq!(error, StateError::Unavailable("the value of `n` is no number".into()));
        assert_eq!(Disk::get(&disk.store, None, "n").as_deref(), Some(text));
    }
    disk.event(|view| view.set("n", b"three".into(), Some(5)).unwrap(), true);
    assert_eq!(disk.event(|view| view.increment("n", 2, None, 5), true), Ok(2), "it is over");
}

#[test]
fn outcomes_and_what_they_wrote_are_gathered_together() {
    let disk = Disk::new();
    let outcomes = StdMutex::new(0);
    let bus: Arc<str> = "shop".into();
    for _ in 0..3 {
        disk.store.in_turn(&["p"], (&bus, None, Timestamp::from_millis(0)), |state| {
            state.of("p").increment("n", 1, None, 0).unwrap();
            state.of("p").keep();
            disk.store.take_effect(state, || *outcomes.lock().unwrap() += 1);
        });
    }
    let (seen, keeping) = disk.store.gather(|| *outcomes.lock().unwrap());
    let [only] = keeping.as_slice() else { panic!("one key") };
    assert_eq!((seen, only.kept.value.as_deref()), (3, Some(b"3".as_slice())));
}

#[test]
fn a_call_that_fails_takes_back_what_it_wrote_and_no_more() {
    let disk = Disk::new();
    let write = |view: &View| {
        view.set("a", b"1".to_vec(), None).unwrap();
        view.keep();
        view.set("a", b"2".to_vec(), None).unwrap();
        view.set("b", b"2".to_vec(), None).unwrap();
        view.undo();
    };
    disk.event(write, true);
    assert_eq!(Disk::get(&disk.store, None, "a").as_deref(), Some("1"));
    assert_eq!(Disk::get(&disk.store, None, "b"), None);
}

const HOUR: i64 = 3_600_000;
/// As the router's clock has it.
const NOW: i64 = 1_000_000 * HOUR;

/// Ten minutes from the time of the event.
fn remember(disk: &Disk, key: &str, time: i64) {
    let set = |view: &View| view.set(key, b"x".to_vec(), Some(time + 600_000)).unwrap();
    disk.event_at(Timestamp::from_millis(time), set, true);
}

fn sees(store: &Arc<PluginState>, replay: Option<&str>, key: &str, time: i64) -> bool {
    let (replay, at) = (replay.map(Arc::from), Timestamp::from_millis(time));
    store.in_turn(&["p"], (&"shop".into(), replay.as_ref(), at), |state| {
        state.of("p").get(key, time).unwrap().is_some()
    })
}

#[test]
fn a_key_expires_by_the_time_of_the_event_and_is_swept_later() {
    let disk = Disk::new();
    remember(&disk, "a", NOW);
    assert!(sees(&disk.store, None, "a", NOW + 599_999));
    assert!(!sees(&disk.store, None, "a", NOW + 600_000));
    disk.flush();
    let later = NOW + 2 * HOUR;
    assert_eq!((disk.sweep(later), disk.sweep(later + HOUR)), (0, 0), "no later event is there");
    remember(&disk, "b", later);
    disk.flush();
    assert_eq!((disk.sweep(later + HOUR), disk.sweep(later + 2 * HOUR)), (0, 1));
    assert!(!sees(&disk.reopened(), None, "a", NOW), "gone from the disk");
    assert!(sees(&disk.reopened(), None, "b", later));
}

#[test]
fn a_backlog_and_events_with_an_old_time_find_what_their_own_left() {
    let disk = Disk::new();
    let yesterday = NOW - 23 * HOUR;
    for fresh in ["of a backlog", "among new ones"] {
        remember(&disk, "a", yesterday);
        disk.flush();
        assert_eq!(disk.sweep(NOW), 0, "{fresh}");
        assert!(sees(&disk.store, None, "a", yesterday + 1000), "{fresh}");
        remember(&disk, "b", NOW);
    }
    // Whose clock is that far behind keeps nothing.
    remember(&disk, "c", 0);
    disk.flush();
    assert_eq!(disk.sweep(NOW), 1);
    assert!(sees(&disk.store, None, "a", yesterday + 1000));
}

#[test]
fn nothing_is_swept_of_a_replay_or_before_an_event_has_come() {
    let disk = Disk::new();
    remember(&disk, "a", 0);
    disk.flush();
    let connection = Connection::open(disk.folder.path().join("state.sqlite")).unwrap();
    connection.execute_batch("UPDATE plugin_state SET replay = 'again'").unwrap();
    assert!(sees(&disk.store, Some("again"), "a", 0));
    remember(&disk, "b", NOW);
    assert_eq!(disk.sweep(NOW), 0);
    connection.execute_batch("UPDATE plugin_state SET replay = ''").unwrap();
    let store = disk.reopened();
    assert_eq!(store.over(Timestamp::from_millis(NOW)), []);
}

#[test]
fn a_plugin_has_room_for_so_much() {
    let disk = Disk::new();
    let set =
        |view: &View, number: usize| view.set(&format!("{number:05}"), vec![0; 64 << 10], None);
    let most = (256 << 20) / ((64 << 10) + 5);
    for numbers in (0..most).collect::<Vec<_>>().chunks(15) {
        disk.event(|view| numbers.iter().for_each(|number| set(view, *number).unwrap()), true);
    }
    let full = "a plugin has at most 268435456 bytes of keys and values on a bus";
    let more = |view: &View| {
        assert_eq!(set(view, most), Err(StateError::TooLarge(full.to_owned())));
        view.delete("00000").unwrap();
        set(view, most).unwrap();
    };
    disk.event(more, false);
    assert_eq!(Kept::NOTHING.value, None);
}

#[test]
fn how_much_a_plugin_keeps_is_one_row_and_right_whatever_becomes_of_its_keys() {
    let disk = Disk::new();
    let connection = Connection::open(disk.folder.path().join("state.sqlite")).unwrap();
    let totals = |store: &Arc<PluginState>| {
        store.space("p", &"shop".into(), None).totals(&store.reader).unwrap()
    };
    let all = |expected: (i64, i64)| {
        assert_eq!(totals(&disk.store), expected);
        disk.flush();
        assert_eq!((totals(&disk.store), totals(&disk.reopened())), (expected, expected));
    };
    remember(&disk, "schlüssel", NOW);
    all((1, 10 + 1));
    disk.event(|view| view.set("b", b"four".to_vec(), None).unwrap(), true);
    disk.event(|view| view.set("b", b"seven".to_vec(), None).unwrap(), true);
    all((2, 11 + 6));
    // An event sees a key that is swept before its own writes take effect.
    let later = NOW + 2 * HOUR;
    assert_eq!((disk.sweep(later), disk.sweep(later + HOUR)), (0, 0));
    remember(&disk, "later", later);
    disk.flush();
    assert_eq!(disk.sweep(later + HOUR), 0);
    disk.store.in_turn(&["p"], (&"shop".into(), None, Timestamp::from_millis(later)), |state| {
        let view = state.of("p");
        view.set("schlüssel", b"xyz".to_vec(), None).unwrap();
        view.keep();
        assert_eq!(disk.sweep(later + 2 * HOUR), 1);
        disk.store.take_effect(state, || ());
    });
    disk.flush();
    all((3, 13 + 6 + 6));
    disk.event(|view| view.delete("b").unwrap(), true);
    disk.event(|view| view.delete("later").unwrap(), true);
    all((1, 13));
    disk.event(|view| view.delete("schlüssel").unwrap(), true);
    all((0, 0));
    let rows = "SELECT COUNT(*) FROM plugin_state_totals";
    assert_eq!(connection.query_row(rows, [], |row| row.get(0)), Ok(0));

    // Nothing is counted.
    connection
        .execute_batch("INSERT INTO plugin_state_totals VALUES ('p', 'shop', '', 7, 70)")
        .unwrap();
    assert_eq!(totals(&disk.reopened()), (7, 70));
}

#[test]
fn an_event_writes_so_much() {
    let disk = Disk::new();
    let too_large = |words: &str| Err(StateError::TooLarge(words.to_owned()));
    let name = |number: usize| format!("{number:04}");
    let keys = too_large("an event writes at most 1000 keys of a plugin");
    let bytes = too_large("an event writes at most 1048576 bytes of keys and values of a plugin");
    let many = |view: &View| {
        (0..999).for_each(|number| view.set(&name(number), vec![1], None).unwrap());
        view.keep();
        view.delete("gone").unwrap();
        assert_eq!((view.set("more", vec![1], None), view.delete("more")), (keys.clone(), keys));
        view.set(&name(0), vec![2], None).unwrap();
        view.undo();
        view.set("more", vec![1], None).unwrap();
    };
    disk.event(many, true);
    assert_eq!(Disk::get(&disk.store, None, "more").as_deref(), Some("\u{1}"));
    let large = |view: &View| {
        (0..16).for_each(|number| view.set(&name(number), vec![0; (64 << 10) - 4], None).unwrap());
        assert_eq!(view.set("one more", Vec::new(), None), bytes);
        view.delete(&name(0)).unwrap();
        view.set("one more", Vec::new(), None).unwrap();
        assert_eq!(view.get(&name(1), 0).unwrap().map(|value| value.len()), Some((64 << 10) - 4));
    };
    disk.event(large, true);
    let space = disk.store.space("p", &"shop".into(), None);
    let value = |number| if number < 16 { (64 << 10) - 4 } else { 1 };
    let left = (1..999).map(|number| 4 + value(number)).sum::<i64>() + (4 + 1) + 8;
    assert_eq!(space.totals(&disk.store.reader), Ok((1000, left)), "the sums are those of all");
}

#[test]
fn a_plugin_asks_so_often_for_an_event() {
    let disk = Disk::new();
    let words = "a plugin reads and writes its state at most 2000 times for an event";
    let over = StateError::TooLarge(words.to_owned());
    let ask = |view: &View| {
        (0..1998).for_each(|number| assert_eq!(view.get(&number.to_string(), 0), Ok(None)));
        assert_eq!(view.increment("n", 1, None, 0), Ok(1), "it reads and writes");
        let all = [view.get("n", 0).map(drop), view.set("n", Vec::new(), None), view.delete("n")];
        assert!(all.iter().all(|answer| *answer == Err(over.clone())));
        assert_eq!(view.increment("n", 1, None, 0), Err(over.clone()));
    };
    disk.event(ask, true);
    assert_eq!(Disk::get(&disk.store, None, "n").as_deref(), Some("1"));
}

#[test]
fn a_key_that_is_asked_for_all_the_time_is_read_once_whatever_else_is_read() {
    let disk = Disk::new();
    disk.event(|view| view.set("hot", b"1".to_vec(), None).unwrap(), true);
    for number in 0..256 {
        let set = |view: &View| view.set(&format!("{number}"), vec![0; 64 << 10], None).unwrap();
        disk.event(set, true);
    }
    disk.flush();
    let (store, bus) = (disk.reopened(), "shop".into());
    let reads = |key: &str| {
        let at = Timestamp::from_millis(0);
        let read = |state: &EventState| state.of("p").get(key, 0).unwrap().is_some();
        store.in_turn(&["p"], (&bus, None, at), read)
    };
    assert!(reads("hot"));
    let connection = Connection::open(disk.folder.path().join("state.sqlite")).unwrap();
    connection.execute_batch("DELETE FROM plugin_state WHERE key = 'hot'").unwrap();
    for number in 0..256 {
        assert!(reads(&number.to_string()) && reads("hot"), "after {number}");
    }
}

#[test]
fn one_look_at_the_disk_that_takes_long_does_not_keep_the_others() {
    let disk = Disk::new();
    let (store, (tell, told)) = (disk.reopened(), channel());
    let beside = Arc::clone(&store);
    let look = || {
        std::thread::spawn(move || tell.send(Disk::get(&beside, None, "n")));
        told.recv_timeout(Duration::from_secs(60))
    };
    assert_eq!(store.reader.read(|_| Ok(look())), Ok(Ok(None)));
}
