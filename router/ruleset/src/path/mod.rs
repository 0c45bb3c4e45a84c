//! JSONPath over JSON text: RFC 9535, with the shorthands that AWS accepts beside it.
//!
//! A path is parsed once. A singular one (`$.detail.items[0].sku`) becomes a list of steps and walks
//! the text; any other is evaluated by jsonpath-rust over a tree that remembers the text.
//!
//! # Invariants
//!
//! - What a path finds is a slice of the text it searched: numbers and escapes are the sender's.
//! - However many values a path can find, memory is bounded: it may look at so many, find so many and
//!   write so much, or is an error.
//! - Of a key that stands twice in an object the last counts, as for most readers of JSON.
//!
//! # Not here
//!
//! - What a missing value means: the caller decides.

mod rewrite;
mod tree;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;

use crate::json::{self, Kind, Nested};
use crate::room::{Full, Room};

/// How long a path may be; the parser's time grows with it.
const LEN_MAX: usize = 1024;

/// How deep brackets may stand within each other: the parser tries each function's argument in several
/// ways, so that its time grows with a power of their depth.
const NESTING_MAX: usize = 6;

/// How often a path may descend to any depth: each further time multiplies what it finds.
const DESCENTS_MAX: usize = 1;

/// How many values a path may find.
const VALUES_MAX: usize = 10_000;

#[derive(Debug, Clone)]
pub(crate) struct JsonPath {
    text: Arc<str>,
    query: Query,
}

#[derive(Debug, Clone)]
enum Query {
    /// At most one value.
    Singular(Vec<Step>),
    /// A list of values.
    Plural(Box<JpQuery>),
}

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    /// From the end when negative.
    Index(i64),
}

/// Why a text is no JSONPath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathError {
    /// Bytes of the text.
    pub span: Range<usize>,
    pub message: String,
    pub mend: String,
}

/// Why what a path finds cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FindError {
    #[error("`{0}` finds more than {VALUES_MAX} values")]
    Values(String),

    #[error("`{0}` looks at more than {max} values", max = tree::LOOKS_MAX)]
    Looks(String),

    #[error(transparent)]
    Full(#[from] Full),
}

impl JsonPath {
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if LEN_MAX < text.len() {
            return Err(PathError {
                span: 0..text.len(),
                message: format!("a path has at most {LEN_MAX} bytes"),
                mend: "shorten it".to_owned(),
            });
        }
        if NESTING_MAX < nesting(text) {
            return Err(PathError {
                span: 0..text.len(),
                message: format!("brackets stand more than {NESTING_MAX} levels deep"),
                mend: "write a plainer filter".to_owned(),
            });
        }
        if !text.starts_with('$') {
            return Err(no_root(text));
        }
        if let Some(&at) = rewrite::descents(text).get(DESCENTS_MAX) {
            return Err(PathError {
                span: at..at + 2,
                message: "a path descends to any depth once, and this is its second `..`"
                    .to_owned(),
                mend: "name the keys on the way, such as `$..items[*].sku`".to_owned(),
            });
        }
        let query = parse_json_path(&rewrite::to_rfc(text)).map_err(|_grammar| malformed(text))?;
        let query = match lower(&query) {
            Some(steps) => Query::Singular(steps),
            None => Query::Plural(Box::new(query)),
        };
        Ok(Self { text: text.into(), query })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether it finds at most one value, as a slice of what it searches.
    pub(crate) fn is_singular(&self) -> bool {
        matches!(self.query, Query::Singular(_))
    }

    /// What it finds wherever it finds something, when that is known to be no text, number or boolean;
    /// `is_event` says whether it searches events.
    pub(crate) fn always(&self, is_event: bool) -> Option<Nested> {
        let steps = match &self.query {
            Query::Singular(steps) => steps.as_slice(),
            Query::Plural(_) => return Some(Nested::Array),
        };
        match steps {
            [] if is_event => Some(Nested::Object),
            [Step::Key(key)] if is_event && key == "detail" => Some(Nested::Object),
            [Step::Key(key)] if is_event && key == "resources" => Some(Nested::Array),
            _ => None,
        }
    }

    /// What the path finds in `text`: a slice of it, or, for a path that can find many, an array of
    /// slices, possibly empty. None when a singular path finds nothing.
    ///
    /// Only what is written anew takes of the room: slices do not.
    pub(crate) fn find<'t>(
        &self,
        text: &'t str,
        room: &mut Room,
    ) -> Result<Option<Cow<'t, str>>, FindError> {
        self.find_in(text, None, room)
    }

    /// As [`Self::find`] in an event, of which it is known where its detail stands: most paths go there, and need not
    /// look for it.
    pub(crate) fn find_in<'t>(
        &self,
        text: &'t str,
        detail: Option<Range<usize>>,
        room: &mut Room,
    ) -> Result<Option<Cow<'t, str>>, FindError> {
        let query = match &self.query {
            Query::Singular(steps) => {
                let detail = detail.and_then(|span| text.get(span));
                let found = match (steps.split_first(), detail) {
                    (Some((Step::Key(key), rest)), Some(detail)) if key == "detail" => {
                        walk(rest, detail)
                    }
                    _ => walk(steps, text),
                };
                return Ok(found.map(Cow::Borrowed));
            }
            Query::Plural(query) => query,
        };
        let Ok(values) = tree::find(query, text) else {
            return Err(FindError::Looks(self.text.to_string()));
        };
        if VALUES_MAX < values.len() {
            return Err(FindError::Values(self.text.to_string()));
        }
        // A bracket or a comma for each.
        let len = values.iter().map(|value| value.len() + 1).sum::<usize>();
        room.take(len + 1)?;
        Ok(Some(Cow::Owned(array(&values))))
    }
}

fn walk<'t>(steps: &[Step], text: &'t str) -> Option<&'t str> {
    let mut here = text.trim();
    for step in steps {
        here = match step {
            Step::Key(wanted) => {
                json::members(here).filter(|(key, _)| is_key(key, wanted)).last()?.1
            }
            Step::Index(index) => element(here, *index)?,
        };
    }
    Some(here)
}

/// Whether a key, as it stands in the text, is the wanted one.
fn is_key(key: &str, wanted: &str) -> bool {
    key == wanted || key.contains('\\') && json::unescape(key) == wanted
}

fn element(array: &str, index: i64) -> Option<&str> {
    if json::kind(array) != Kind::Array {
        return None;
    }
    match usize::try_from(index) {
        Ok(at) => json::elements(array).nth(at),
        Err(_) => {
            let from_end = usize::try_from(index.unsigned_abs()).ok()?;
            let at = json::elements(array).count().checked_sub(from_end)?;
            json::elements(array).nth(at)
        }
    }
}

fn array(values: &[&str]) -> String {
    format!("[{}]", values.join(","))
}

/// The steps of a query that finds at most one value.
fn lower(query: &JpQuery) -> Option<Vec<Step>> {
    let step = |selector: &Selector| match selector {
        Selector::Name(name) => Some(Step::Key(name.clone())),
        Selector::Index(index) => Some(Step::Index(*index)),
        Selector::Wildcard | Selector::Slice(..) | Selector::Filter(_) => None,
    };
    let steps = query.segments.iter().map(|segment| match segment {
        Segment::Selector(selector) => step(selector),
        Segment::Selectors(selectors) => match selectors.as_slice() {
            [one] => step(one),
            _ => None,
        },
        Segment::Descendant(_) => None,
    });
    steps.collect()
}

/// The most brackets open at once, those in quoted keys included.
fn nesting(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => (),
        }
        most = most.max(depth);
    }
    most
}

fn no_root(text: &str) -> PathError {
    let mend = match text.trim_start_matches('.') {
        "" => "write the path of a value, such as `$.detail.orderId`".to_owned(),
        rest if rest.contains(char::is_whitespace) => {
            "write the path of a value, such as `$.detail.orderId`".to_owned()
        }
        rest => format!("write `$.{rest}`"),
    };
    PathError { span: 0..text.len(), message: "a path begins with `$`".to_owned(), mend }
}

fn malformed(text: &str) -> PathError {
    let (span, message, mend) = if let Some(at) = text.find("[]") {
        (
            at..at + 2,
            "`[]` selects nothing",
            "write `[*]` for every element, or `[0]` for the first",
        )
    } else if text.ends_with('.') {
        (text.len() - 1..text.len(), "the path ends in a dot", "write the key that follows")
    } else if text.matches('[').count() != text.matches(']').count() {
        (0..text.len(), "a bracket of the path is not closed", "close every `[` with a `]`")
    } else {
        let mend = "write keys with dots and elements with brackets, such as `$.detail.items[0].sku`, \
                    and unusual keys as `['…']`";
        (0..text.len(), "not a JSONPath", mend)
    };
    PathError { span, message: message.to_owned(), mend: mend.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENT: &str = r#"{
        "detail-type": "OrderCreated", "$ref": "r", "@id": "i", "9lives": 9, "two words": 2, "tên": "vi",
        "it's": "quoted",
        "detail": { "amount": 1.10, "big": 123456789012345678901234567890, "huge": 1e400,
            "none": null, "esc\u0061ped": "a\u0062\"c", "twice": 1, "twice": 2,
            "items": [ {"sku":"a","price":1.50}, {"sku":"b","price":20} ], "a/b": {"c:d": true} }
    }"#;

    fn find(path: &str) -> String {
        let path = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let found = path.find(EVENT, &mut Room::of_step()).unwrap();
        found.map_or("nothing".to_owned(), Cow::into_owned)
    }

    fn is_singular(path: &str) -> bool {
        matches!(JsonPath::parse(path).unwrap().query, Query::Singular(_))
    }

    #[test]
    fn a_singular_path_finds_the_senders_bytes() {
        for (path, found) in [
            ("$.detail.amount", "1.10"),
            ("$.detail.big", "123456789012345678901234567890"),
            ("$.detail.huge", "1e400"),
            ("$.detail.none", "null"),
            ("$.detail.escaped", r#""a\u0062\"c""#),
            ("$['detail'][\"items\"][0].sku", r#""a""#),
            ("$.detail.items[-1]", r#"{"sku":"b","price":20}"#),
            ("$.detail.twice", "2"),
            ("$.detail.missing", "nothing"),
            ("$.detail.amount.deeper", "nothing"),
            ("$.detail.items[7]", "nothing"),
            ("$.detail.items[-3]", "nothing"),
            ("$.detail[0]", "nothing"),
        ] {
            assert!(is_singular(path));
            assert_eq!(find(path), found, "{path}");
        }
        assert_eq!(find("$"), EVENT);
    }

    #[test]
    fn where_the_detail_is_known_the_same_is_found() {
        let start = EVENT.find(r#"{ "amount""#).unwrap();
        let detail = start..EVENT.rfind('}').unwrap();
        for path in [
            "$",
            "$.detail",
            "$.detail.amount",
            "$.detail.twice",
            "$.detail.items[-1].sku",
            "$.detail.missing",
            "$.detail-type",
            "$.twice",
            "$.detail.items[*].sku",
        ] {
            let path = JsonPath::parse(path).unwrap();
            let [known, unknown] = [Some(detail.clone()), None].map(|detail| {
                let found = path.find_in(EVENT, detail, &mut Room::of_step()).unwrap();
                found.map(|found| found.trim().to_owned())
            });
            assert_eq!(known, unknown, "{}", path.text());
        }
    }

    #[test]
    fn shorthands_that_the_rfc_lacks_are_read() {
        for (path, found) in [
            ("$.detail-type", r#""OrderCreated""#),
            ("$.$ref", r#""r""#),
            ("$.@id", r#""i""#),
            ("$.9lives", "9"),
            ("$['two words']", "2"),
            ("$.two words", "2"),
            ("$['it\\'s']", r#""quoted""#),
            ("$.tên", r#""vi""#),
            ("$.detail.a/b.c:d", "true"),
            ("$..detail-type", r#"["OrderCreated"]"#),
            ("$[?@.9lives == 1.5 && @.a-b]", "[]"),
        ] {
            assert_eq!(find(path), found, "{path}");
        }
    }

    #[test]
    fn a_path_that_can_find_many_finds_an_array_of_the_senders_bytes() {
        for (path, found) in [
            ("$.detail.items[*].sku", r#"["a","b"]"#),
            ("$.detail.items[*].price", "[1.50,20]"),
            ("$.detail.items[?@.price > 1.5].price", "[20]"),
            ("$.detail.items[?(@.sku == 'a')].price", "[1.50]"),
            ("$.detail.items[0:1]", r#"[{"sku":"a","price":1.50}]"#),
            ("$.detail.items[*].colour", "[]"),
            ("$.detail['amount','big']", "[1.10,123456789012345678901234567890]"),
        ] {
            assert!(!is_singular(path));
            assert_eq!(find(path), found, "{path}");
        }
    }

    #[test]
    fn a_text_that_is_no_path_is_refused_with_its_mend() {
        let mend = |text: &str| JsonPath::parse(text).unwrap_err().mend;
        assert_eq!(mend("detail.orderId"), "write `$.detail.orderId`");
        assert_eq!(mend("$.items[]"), "write `[*]` for every element, or `[0]` for the first");
        assert_eq!(mend("$.detail."), "write the key that follows");
        assert_eq!(mend("$.detail[0"), "close every `[` with a `]`");
        assert!(JsonPath::parse("").is_err() && JsonPath::parse("$x").is_err());
        assert!(JsonPath::parse(&format!("${}", "[0]".repeat(400))).is_err());
    }

    #[test]
    fn functions_within_functions_do_not_keep_the_parser_busy() {
        let nested = |depth: usize| format!("$[?{}@.a", "length(".repeat(depth));
        let refused = |depth| JsonPath::parse(&nested(depth)).unwrap_err().message;
        assert_eq!(refused(100), "brackets stand more than 6 levels deep");
        assert_eq!(refused(5), "a bracket of the path is not closed");
        assert!(JsonPath::parse("$[?(@.a == 1 && (@.b == 2 || length(@.c['x']) > 1))]").is_ok());
    }

    #[test]
    fn a_path_descends_once() {
        for path in ["$..*..*", "$..a[?@..b]", "$[?$..a || @..b]", "$..a.b..c-d"] {
            let error = JsonPath::parse(path).unwrap_err();
            assert_eq!(path.get(error.span.clone()), Some(".."), "{path}");
            assert_eq!(Some(error.span.start), path.rfind(".."), "{path}");
        }
        for path in ["$..a['..']", "$..[?@.a == '\\'..']", "$..sku"] {
            assert!(JsonPath::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn selectors_that_multiply_end_at_a_limit() {
        let nested = format!("{}0{}", "[".repeat(30), "]".repeat(30));
        let path = JsonPath::parse(&format!("${}", "[0,0]".repeat(30))).unwrap();
        let error = path.find(&nested, &mut Room::of_step()).unwrap_err();
        assert!(matches!(error, FindError::Looks(_)), "{error}");
    }

    #[test]
    fn long_keys_of_an_event_are_not_copied_for_every_value() {
        let key = "k".repeat(500_000);
        let text = format!(r#"{{"{key}":[{}]}}"#, vec!["0"; 9_000].join(","));
        let found = JsonPath::parse("$.*[*]").unwrap().find(&text, &mut Room::of_step());
        assert_eq!(found.unwrap().unwrap().len(), 18_001);
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_refused(text in r"[$.\[\]'*?@()=<>&|a-c0-9, \-é:]{0,24}") {
            if let Ok(path) = JsonPath::parse(&format!("${text}")) {
                for searched in [EVENT, "", &text] {
                    drop(path.find(searched, &mut Room::of_step()));
                }
            }
        }
    }
}
