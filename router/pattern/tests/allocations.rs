//! Matching allocates nothing once a thread has met events of that size.
//!
//! It is a test program of its own: what it counts is everything that the process allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use slipswitch_pattern::{Event, Matcher, Pattern, PatternIndex, Scratch};

/// The system's allocator, with a count of what it was asked for.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; each call goes on as it came"
)]
// SAFETY: everything is left to the system's allocator, which keeps the promises of the trait.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Patterns of every operator, over every shape of event; `number` makes them many and different.
fn patterns(number: usize) -> Vec<String> {
    let n = number;
    vec![
        format!(r#"{{"source":["shop{n}","shop"],"detail-type":["Created","Changed"]}}"#),
        format!(r#"{{"detail":{{"name":[{{"prefix":"na"}},{{"suffix":"e{n}"}}]}}}}"#),
        format!(r#"{{"detail":{{"name":[{{"equals-ignore-case":"NAME{n}"}}]}}}}"#),
        format!(r#"{{"detail":{{"name":[{{"prefix":{{"equals-ignore-case":"nA"}}}}],"n":[{n}]}}}}"#),
        format!(r#"{{"detail":{{"name":[{{"suffix":{{"equals-ignore-case":"E{n}"}}}}]}}}}"#),
        format!(r#"{{"detail":{{"fold":[{{"equals-ignore-case":"straße ſσ{n}"}}]}}}}"#),
        format!(r#"{{"detail":{{"path":[{{"wildcard":"*/{n}/*.png"}},{{"wildcard":"*a*{n}"}}]}}}}"#),
        format!(r#"{{"detail":{{"path":[{{"wildcard":"a\\*b*"}},{{"exactly":"/img/{n}"}}]}}}}"#),
        format!(r#"{{"detail":{{"total":[{{"numeric":[">",{n},"<=",500.50]}}]}}}}"#),
        format!(r#"{{"detail":{{"total":[{n}e1,300.0,{{"numeric":["=",{n}]}}]}}}}"#),
        r#"{"detail":{"long":[12345678901234567890123,{"numeric":[">",12345678901234567890122]}]}}"#
            .to_owned(),
        r#"{"detail":{"huge":[1e400,{"anything-but":5}]}}"#.to_owned(),
        format!(r#"{{"detail":{{"ip":["10.0.0.{n}",{{"cidr":"10.0.{n}.0/24"}}]}}}}"#),
        format!(r#"{{"detail":{{"ip":[{{"cidr":"2001:db8:{n}::/48"}},"::ffff:a00:1"]}}}}"#),
        format!(r#"{{"detail":{{"name":[{{"anything-but":["x{n}","y"]}}]}}}}"#),
        format!(r#"{{"detail":{{"total":[{{"anything-but":[{n},300]}}]}}}}"#),
        format!(r#"{{"detail":{{"name":[{{"anything-but":{{"prefix":["n{n}","x"]}}}}]}}}}"#),
        format!(r#"{{"detail":{{"path":[{{"anything-but":{{"suffix":".gif"}}}}],"n":[{n}]}}}}"#),
        format!(r#"{{"detail":{{"name":[{{"anything-but":{{"equals-ignore-case":"NAME{n}"}}}}]}}}}"#),
        format!(r#"{{"detail":{{"path":[{{"anything-but":{{"wildcard":"*/{n}/*"}}}}]}}}}"#),
        format!(r#"{{"detail":{{"missing{n}":[{{"exists":false}}],"name":[{{"exists":true}}]}}}}"#),
        format!(r#"{{"detail":{{"flag":[true,null,{n}],"off":[false]}}}}"#),
        format!(r#"{{"detail":{{"items":{{"sku":["a{n}"],"qty":[{{"numeric":[">=",2]}}]}}}}}}"#),
        format!(
            r#"{{"detail":{{"items":{{"sku":[{{"prefix":"a"}}],"qty":[{n}],"gone":[{{"exists":false}}]}}}}}}"#
        ),
        format!(r#"{{"detail":{{"items":{{"tags":{{"k":["x"],"v":[{n},1]}},"qty":[2,3]}}}}}}"#),
        format!(r#"{{"detail.grid":[{n}],"detail":{{"n":[{{"exists":true}}]}}}}"#),
        format!(r#"{{"$or":[{{"detail":{{"n":[{n}]}}}},{{"source":["shop{n}"]}}],"detail-type":["Created"]}}"#),
        format!(
            r#"{{"detail":{{"$or":[{{"items":{{"sku":["a1"],"qty":[{n}]}}}},{{"$or":[{{"flag":[true]}},{{"n":[{n}]}}]}}]}}}}"#
        ),
        format!(r#"{{"detail":{{"escaped":["tab\t{n}","quote\"","\ud83d\ude80","\ud800"]}}}}"#),
        format!(r#"{{"d\u00e9tail":{{"caf\u00e9 {n}":["x"]}},"d\u00e9tail.caf\u00e9":["x"]}}"#),
        format!(
            r#"{{"detail":{{"path":[{{"slipswitch:all":[{{"prefix":"/"}},{{"suffix":"g"}},{{"anything-but":"{n}"}}]}}]}}}}"#
        ),
        format!(r#"{{"detail":{{"path":[{{"slipswitch:regex":"/[a-z]+/{n}/.*\\.png"}}]}}}}"#),
        // Too large for a table of states: the other kind of automaton.
        r#"{"detail":{"path":[{"slipswitch:regex":"(a|/)*a(a|/){14}\\.png"}]}}"#.to_owned(),
    ]
}

fn events() -> Vec<String> {
    let items = |count: usize| {
        let item = |at| {
            format!(
                r#"{{"sku":"a{at}","qty":{at},"tags":[{{"k":"x","v":{at}}},{{"k":"y","v":[1,2]}}]}}"#
            )
        };
        (0..count).map(item).collect::<Vec<_>>().join(",")
    };
    let event = |detail: &str| {
        format!(
            r#"{{"source":"shop","detail-type":"Created","skipped":[{{"a":["}}\\"]}}],"detail":{{{detail}}}}}"#
        )
    };
    let mut events = vec![
        "{}".to_owned(),
        event(r#""name":"name1","n":1,"total":300,"path":"/img/1/a.png","flag":true,"off":false"#),
        event(r#""name":"nAmE2","n":2,"total":3.0e2,"path":"a*b","flag":null,"ip":"10.0.0.1""#),
        event(r#""name":["x",1,null,"name3"],"total":[1,20.5,500.50],"ip":"::FFFF:0A00:0001""#),
        event(r#""long":12345678901234567890123,"huge":1e400,"total":-0.0,"ip":"2001:db8:2::1""#),
        event(r#""fold":"STRASSE SΣ1","escaped":"tab\t1","path":"\u002fimg\/1\/a.png""#),
        event(r#""escaped":["\ud83d\ude80","\ud800","quote\u0022"],"grid":[[1,2],[[3]],[]]"#),
        event(r#""name":"name1","name":"name2","items":{"sku":"a1","qty":2,"gone":[]}"#),
        event(r#""grid":[[1],[2]],"n":0,"items.sku":"a1","items.qty":[2,3]"#),
        r#"{"d\u00e9tail":{"caf\u00e9":"x","café 1":"x"},"source":"sh\u006fp"}"#.to_owned(),
    ];
    for count in [1, 3, 20, 200] {
        events.push(event(&format!(r#""n":{count},"items":[{}]"#, items(count))));
    }
    events.push(event(&format!(r#""noise":"{}","n":5"#, r#"\\\""#.repeat(2_000))));
    events.push(event(&format!(
        r#""path":"/{}.png","name":"{}""#,
        "a/".repeat(3_000),
        "\\u00e9".repeat(500)
    )));
    events
}

fn match_all(
    matcher: &Matcher,
    events: &[Event<'_>],
    scratch: &mut Scratch,
    matched: &mut Vec<PatternIndex>,
) -> usize {
    let mut count = 0;
    for event in events {
        matcher.matches(*event, scratch, matched).expect("the event is valid");
        count += matched.len();
    }
    count
}

#[test]
fn matching_allocates_nothing_once_the_events_were_met() {
    let patterns: Vec<Pattern> = (0..40)
        .flat_map(patterns)
        .map(|text| Pattern::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect();
    let texts = events();
    let events: Vec<Event<'_>> = texts
        .iter()
        .map(|text| Event::check(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect();
    // One that was compiled at once, and one with changes beside.
    let whole = Matcher::new(&patterns);
    let change = |at| (PatternIndex(at), Some(patterns[0].clone()));
    let changed = whole.changed(&(0..100).map(|at| change(7 * at)).collect::<Vec<_>>());

    for matcher in [&whole, &changed] {
        let (mut scratch, mut matched) = (Scratch::default(), Vec::new());
        let expected = match_all(matcher, &events, &mut scratch, &mut matched);
        assert!(events.len() * 20 < expected, "only {expected} matches: that proves little");

        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut count = 0;
        for _ in 0..5 {
            count += match_all(matcher, &events, &mut scratch, &mut matched);
        }
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!(count, 5 * expected);
        assert_eq!(allocations, 0, "{} events allocated", 5 * events.len());
    }
}
