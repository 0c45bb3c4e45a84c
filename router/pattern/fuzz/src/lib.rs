//! What is done with bytes that mean harm, by the fuzzer and by `tests/damaged.rs` alike.
//!
//! Each function panics when the crate breaks a promise, and returns otherwise.

use slipswitch_pattern::{
    Dialect, Event, EventError, Matcher, Pattern, PatternIndex, Scratch, explain, naive,
};

/// Between pattern and event in the input of [`pair`]. UTF-8 never has this byte.
pub const SEPARATOR: u8 = 0xff;

/// Every operator, and every way for fields to depend on each other, over few short keys, which the
/// fuzzer finds.
const PATTERNS: [&str; 34] = [
    r#"{"a":["x","",1,true,null,"10.0.0.1"]}"#,
    r#"{"a":["::ffff:a00:1","\ud800","é",-0,300,12345678901234567890]}"#,
    r#"{"a":[{"exactly":"10.0.0.1"},{"cidr":"10.0.0.0/9"},{"cidr":"2001:db8::/32"}]}"#,
    r#"{"a":[{"prefix":"x"},{"prefix":""}]}"#,
    r#"{"a":[{"prefix":"xy"},{"suffix":"yx"}]}"#,
    r#"{"a":[{"equals-ignore-case":"ßKi"},{"prefix":{"equals-ignore-case":"aB"}}]}"#,
    r#"{"a":[{"suffix":{"equals-ignore-case":"ſΣ"}}],"b":[{"exists":false}]}"#,
    r#"{"a":[{"wildcard":"x*y*x"},{"wildcard":"*\\*\\\\"},{"wildcard":"*"}]}"#,
    r#"{"b":[{"wildcard":"*ab*ba"},{"wildcard":"a*a*a*a"}]}"#,
    r#"{"a":[{"numeric":[">",0,"<=",5]},{"numeric":["=",3e2]}]}"#,
    r#"{"b":[{"numeric":["<",-1.5]},{"numeric":[">=",9007199254740993]}]}"#,
    r#"{"a":[{"anything-but":["x","y"]}]}"#,
    r#"{"a":[{"anything-but":[1,2.0]}],"b":[{"anything-but":{"prefix":["x","a"]}}]}"#,
    r#"{"b":[{"anything-but":{"suffix":"x"}},{"anything-but":{"equals-ignore-case":["X"]}}]}"#,
    r#"{"a":[{"anything-but":{"wildcard":["*x*","a*"]}}]}"#,
    r#"{"a":[{"exists":true}],"a.b":[{"exists":false}]}"#,
    r#"{"a":["x",{"exists":false}],"b":[{"exists":true}]}"#,
    r#"{"a":{"b":[1],"c":[2]}}"#,
    r#"{"a":{"b":[1],"c":[{"exists":false}]}}"#,
    r#"{"a":{"b":{"c":[1,"x"],"d":[2,"y"]},"c":[3]}}"#,
    r#"{"a":{"b":["x"]},"b":{"a":["y",1]},"c":[{"anything-but":0}]}"#,
    r#"{"a.b":[1],"a":{"c.d":[{"exists":true}]},"":[0],".":[0]}"#,
    r#"{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}"#,
    r#"{"a":{"$or":[{"b":[1],"c":[1]},{"$or":[{"b":[2]},{"c":[{"exists":false}]}]}]}}"#,
    r#"{"$or":[{"a":["x"]},{"a":[{"numeric":["<",1]}]}],"a":{"b":[1]}}"#,
    r#"{"c":[{"exists":false}],"$or":[{"c":[1]},{"d":[1]}]}"#,
    r#"{"é":["x"],"\n":[1],"\ud83d\ude80":[1],"\udc00":[1]}"#,
    r#"{"a long key of thirty-two bytes.":[1],"a long key of thirty-two bytes!":[1]}"#,
    r#"{"detail":{"state":["on"],"at":[{"prefix":"2026-"}]},"source":["x"]}"#,
    r#"{"zz":[{"exists":false}]}"#,
    r#"{"a":[{"slipswitch:all":[{"prefix":"x"},{"suffix":"y"},{"anything-but":"xy"}]}]}"#,
    r#"{"b":[{"slipswitch:all":[true,{"exists":true}]},{"slipswitch:all":[{"numeric":[">",1]},2]}]}"#,
    r#"{"a":[{"slipswitch:regex":"x.*y|[^a]{2,3}"},{"slipswitch:regex":"\\p{Lu}+é?"}]}"#,
    r#"{"b":[{"anything-but":{"slipswitch:regex":["a*b","x+"]}}]}"#,
];

/// Bytes as the text of a pattern: a pattern that keeps its text, or an error that points into it.
pub fn parse(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let [ours, amazons] = [Dialect::Slipswitch, Dialect::EventBridge].map(|dialect| {
        let parsed = Pattern::parse_in(text, dialect);
        match &parsed {
            Ok(pattern) => assert_eq!(pattern.text(), text),
            Err(error) => {
                let shown = text.get(error.span.clone());
                assert!(shown.is_some(), "no text at {:?}: {error:?}", error.span);
                assert!(!error.message.is_empty() && !error.mend.is_empty(), "{error:?}");
            }
        }
        parsed
    });
    // Only a name that begins as those of our operators is a field there and not here.
    if let (Err(error), Ok(_)) = (ours, amazons) {
        assert!(
            error.message.contains("slipswitch:"),
            "only EventBridge takes it: {error:?}: {text}"
        );
    }
}

/// Bytes as an event, asked of patterns of every kind.
pub fn match_event(bytes: &[u8]) {
    thread_local! {
        static ASKED: Asked = Asked::new(&PATTERNS.map(|text| {
            Pattern::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
        }));
    }
    ASKED.with(|asked| asked.ask(bytes));
}

/// Bytes as a pattern and an event. Where there is no [`SEPARATOR`], they are asked as both.
pub fn pair(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == SEPARATOR);
    let (text, event) = at.map_or((bytes, bytes), |at| (&bytes[..at], &bytes[at + 1..]));
    parse(text);
    if let Ok(text) = std::str::from_utf8(text)
        && let Ok(pattern) = Pattern::parse(text)
    {
        Asked::new(std::slice::from_ref(&pattern)).ask(event);
        // So many that they are looked up, and not gone through one by one.
        Asked::new(&vec![pattern.clone(); 20]).ask(event);
        explain_pair(&pattern, event);
    }
}

/// An explanation has words for whatever there is, and matches when the naive matcher does.
fn explain_pair(pattern: &Pattern, bytes: &[u8]) {
    let explanation = explain(pattern, Event::checked_before(bytes));
    if let Ok(explanation) = &explanation {
        assert!(!explanation.why().is_empty() && !explanation.to_string().is_empty());
    }
    if let Ok(event) = Event::check(bytes) {
        let mut matched = Vec::new();
        let oracle = naive::Matcher::new(std::slice::from_ref(pattern));
        if oracle.matches(event, &mut naive::Scratch::default(), &mut matched).is_ok() {
            let explanation = explanation.expect("the naive matcher has an answer");
            assert_eq!(explanation.is_match(), !matched.is_empty(), "{explanation}");
        }
    }
}

/// Patterns in both matchers.
struct Asked {
    matcher: Matcher,
    oracle: naive::Matcher,
}

type Answer = Result<Vec<PatternIndex>, EventError>;

impl Asked {
    fn new(patterns: &[Pattern]) -> Self {
        Self { matcher: Matcher::new(patterns), oracle: naive::Matcher::new(patterns) }
    }

    fn ask(&self, bytes: &[u8]) {
        let event = Event::checked_before(bytes);
        let mut scratch = Scratch::default();
        let answer = self.answer(event, &mut scratch);
        if let Err(error) = &answer {
            assert!(error.offset <= bytes.len(), "{error} of {}", bytes.len());
        }

        // What was read before must not matter, torn as it may be.
        let torn = Event::checked_before(&bytes[..bytes.len() / 2]);
        self.answer(torn, &mut scratch).ok();
        assert_eq!(self.answer(event, &mut scratch), answer, "after another event");

        match Event::check(bytes) {
            Ok(event) => self.compare(event, answer),
            Err(error) => assert!(error.offset <= bytes.len(), "{error} of {}", bytes.len()),
        }
    }

    /// The naive matcher may give up on combinations of array elements that another need not try.
    fn compare(&self, event: Event<'_>, answer: Answer) {
        let mut expected = Vec::new();
        let asked = self.oracle.matches(event, &mut naive::Scratch::default(), &mut expected);
        if asked.is_ok() {
            expected.sort_unstable();
            assert_eq!(answer, Ok(expected), "the matchers disagree");
        }
    }

    fn answer(&self, event: Event<'_>, scratch: &mut Scratch) -> Answer {
        let mut matched = Vec::new();
        let asked = self.matcher.matches(event, scratch, &mut matched);
        assert!(asked.is_ok() || matched.is_empty(), "an error, and matches");
        matched.sort_unstable();
        asked.map(|()| matched)
    }
}
