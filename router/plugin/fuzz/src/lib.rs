//! What is done with files and answers that mean harm, by the fuzzer and by `tests/it/hostile.rs` alike.
//!
//! Each function panics when the crate breaks a promise, and returns otherwise.
//!
//! ```text
//! an input of `output` = what: u8   turn: u8   place: u32   steps: [28 bytes]   answer
//! what  = plugin: bits 0 to 2   steps: bits 3 to 5, 7 for an answer with the event's texts   more events: bits 6, 7
//! turn  = which request for memory is answered with `place`, 0 for none: bits 0 to 5
//!         bit 6: of those that imports make, and not of those for the event   bit 7: `place` counts from the memory's end
//! step  = which import: u8   3 bytes   its arguments
//! ```
//!
//! # Invariants
//!
//! - The same plugin does the same when it is called directly as when it is called as a component: answers, kinds of
//!   errors, and what it logs, counts and writes to the state.

mod roles;

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use roles::{BYTES_MAX, Role, component};
use slipswitch_plugin::{
    CallError, Configured, Event, Grant, Grants, Host, Isolation, Level, Limits, Line, LineSink,
    MetricSink, Options, Output, Plugin, Setup, StateAccess, StateError,
};

const FILE_BYTES_MAX: usize = 32 << 10;
const OUTPUTS_MAX: usize = 100;
const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// Of an input: before its bytes.
const HEAD_BYTES: usize = 6;
/// So many steps mean that an event is answered with its own texts.
const ECHO: u8 = 7;
/// How the host begins to say what is wrong with what a plugin hands over.
const BREACH: &str = "it breaks the contract";

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let options = Options {
        workers: 1,
        instances_max: 16,
        memory_bytes_max: 2 << 20,
        file_bytes_max: FILE_BYTES_MAX,
        // By the second, and so not the same twice.
        log_lines_per_second: u32::MAX,
        ..Options::default()
    };
    Host::new(options).expect("a host")
});

/// The small plugins that are damaged, as modules and as components: transformer, filter, batch transformer, and the
/// same once more as the Rust SDK leaves them, which are called directly.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let modules: Vec<_> = all(Role::small).collect();
    let components: Vec<_> = modules.iter().map(|module| component(module)).collect();
    modules.into_iter().chain(components).collect()
});

/// Those that do what an input says, each with the configuration that lets it answer honestly where the router puts an
/// event: three that are called as components, and the same three, called directly.
static PLUGINS: LazyLock<Vec<(Plugin, Configured)>> = LazyLock::new(|| {
    let configured = |file: Vec<u8>| {
        let plugin = HOST.load("hostile", &file).expect("a plugin");
        let configured = plugin.configure("{}", patient()).expect("its configuration");
        (plugin, configured)
    };
    all(Role::hostile).map(configured).collect()
});

fn all(make: impl Fn(Role, bool) -> Vec<u8> + Copy) -> impl Iterator<Item = Vec<u8>> {
    [false, true].into_iter().flat_map(move |is_direct| Role::ALL.map(|role| make(role, is_direct)))
}

/// What becomes of an event.
pub type Answer = Result<Vec<Output>, CallError>;

/// Where fuzzers of the loader may begin.
pub fn files() -> &'static [Vec<u8>] {
    &FILES
}

/// Bytes as a file; or, when they do not begin as one, as edits of one: which, then place and byte, again and again.
pub fn load(bytes: &[u8]) {
    let file = match bytes.split_first() {
        Some((which, edits)) if !bytes.starts_with(b"\0asm") => edited(*which, edits),
        _ => bytes.to_vec(),
    };
    let Ok(plugin) = HOST.load("hostile", &file) else { return };
    assert!(file.len() <= FILE_BYTES_MAX, "a file over the limit was looked at");
    for isolation in [Isolation::Reuse, Isolation::Event] {
        if let Ok(configured) = plugin.configure("{}", setup(isolation)) {
            call(&configured, 3, "{}");
        }
    }
}

fn edited(which: u8, edits: &[u8]) -> Vec<u8> {
    let mut file = FILES[usize::from(which) % FILES.len()].clone();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % file.len();
        file[at] = edit[2];
    }
    // A byte that is left over cuts the file.
    if let [.., cut] = edits
        && edits.len() % 3 == 1
    {
        file.truncate(file.len() * usize::from(*cut) / 256);
    }
    file
}

/// Bytes as what a plugin does: the same when it is called directly as when it is called as a component.
pub fn output(bytes: &[u8]) {
    let Some(input) = Input::new(bytes) else { return };
    let role = input.plugin % Role::ALL.len();
    let component = input.answers(role);
    let direct = input.answers(role + Role::ALL.len());
    if !input.is_comparable() || [&component, &direct].into_iter().any(Outcome::is_late) {
        return;
    }
    assert_eq!(direct, component, "directly, and as a component: {input:?}");
}

/// What came of it, by the plugin that the first byte names.
pub fn answers(bytes: &[u8]) -> Vec<Answer> {
    Input::new(bytes).map_or_else(Vec::new, |input| input.answers(input.plugin).answers)
}

#[derive(Debug)]
struct Input<'a> {
    head: &'a [u8; HEAD_BYTES],
    bytes: &'a [u8],
    plugin: usize,
    count: usize,
}

/// What became of an input, and what the plugin did beside answering.
#[derive(Debug, PartialEq)]
struct Outcome {
    answers: Vec<Answer>,
    effects: Vec<String>,
}

impl Outcome {
    /// How much time there was is not the plugin's doing.
    fn is_late(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer, Err(CallError::Deadline { .. })))
    }
}

impl<'a> Input<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let (head, bytes) = bytes.split_first_chunk()?;
        let plugin = usize::from(head[0] & 7) % (2 * Role::ALL.len());
        Some(Self { head, bytes, plugin, count: 1 + usize::from(head[0] >> 6) })
    }

    /// Whether a request for memory is answered dishonestly while an event is put there. A component is asked for room for
    /// each text, and one that is called directly for all of them at once, so that it is not the same request.
    fn is_comparable(&self) -> bool {
        self.head[1] & 63 == 0 || self.head[1] & 64 != 0
    }

    fn answers(&self, plugin: usize) -> Outcome {
        let (plugin, honest) = &PLUGINS[plugin];
        let json = letters(self.head.iter().chain(self.bytes).take(BYTES_MAX));
        // An instance learns it before its first event: by then the event lies in its memory already.
        let config = format!("\"{}\"", letters(&self.head[1..]));
        let hostile = (!self.is_comparable())
            .then(|| plugin.configure(&config, patient()).expect("its configuration"));
        EFFECTS.take();
        let answers = call(hostile.as_ref().unwrap_or(honest), self.count, &json);
        if self.is_comparable() && self.head[0] >> 3 & 7 == ECHO {
            self.check_echo(plugin, &answers, &json);
        }
        let answers = answers.into_iter().map(without_words).collect();
        Outcome { answers, effects: EFFECTS.take() }
    }

    /// The plugin has put out what it found in its memory: what the host was given.
    fn check_echo(&self, plugin: &Plugin, answers: &[Answer], json: &str) {
        for (event, answer) in events(self.count, json, &attributes(json)).iter().zip(answers) {
            let Event { id, source, detail_type, time, json, .. } = *event;
            let texts = [
                (id, source),
                (detail_type, time),
                (json.get(event.detail.clone()).expect("letters"), ""),
            ];
            let texts = texts.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let output = |attributes| Output { body: json.to_owned(), attributes };
            let expected = match plugin.role() {
                slipswitch_plugin::Role::Filter => vec![output(Vec::new())],
                _ => vec![output(event.attributes.to_vec()), output(texts)],
            };
            assert_eq!(answer.as_ref(), Ok(&expected), "an event came in another form");
        }
    }
}

/// What breaks the contract does so in several ways at once, and which of them is named is not the same: wasmtime looks
/// at all of a list before it looks into its texts.
fn without_words(answer: Answer) -> Answer {
    answer.map_err(|error| match error {
        CallError::Output { problem, limit } => {
            let problem = problem.split(BREACH).next().unwrap_or_default().to_owned();
            CallError::Output { problem, limit }
        }
        error => error,
    })
}

/// Half bytes as letters: what a plugin gets is text.
fn letters<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let letter = |half: u8| char::from(b'a' + half);
    bytes.into_iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
}

fn attributes(json: &str) -> Vec<(String, String)> {
    let some = json.as_bytes().chunks(5).take(json.len() % 4);
    let some = some.map(|chunk| String::from_utf8_lossy(chunk).into_owned());
    let named = [("bus", "main"), ("rule", "")].map(|(name, value)| (name.into(), value.into()));
    named.into_iter().chain(some.map(|text| (text.clone(), text.repeat(2)))).collect()
}

fn events<'a>(count: usize, json: &'a str, attributes: &'a [(String, String)]) -> Vec<Event<'a>> {
    let ids = ["e-0", "e-1", "e-2", "e-3"];
    let event = |id| Event {
        id,
        source: json.get(..json.len() / 3).expect("letters"),
        detail_type: "T",
        time: "2026-01-01T00:00:00Z",
        time_ms: 1_767_225_600_000,
        json,
        detail: json.len() / 4..json.len() / 2,
        attributes,
        position: 0,
    };
    ids.into_iter().take(count).map(event).collect()
}

fn call(plugin: &Configured, count: usize, json: &str) -> Vec<Answer> {
    let attributes = attributes(json);
    let events = events(count, json, &attributes);
    let state: Arc<dyn StateAccess> = Arc::new(Told);
    let answers = plugin.call_batch(&events, &vec![Some(state); count]);
    assert_eq!(answers.len(), count, "an answer for each event");
    for outputs in answers.iter().flatten() {
        assert!(outputs.len() <= OUTPUTS_MAX, "too many outputs");
        let size = |(name, value): &(String, String)| name.len() + value.len();
        let sizes = outputs
            .iter()
            .map(|output| output.body.len() + output.attributes.iter().map(size).sum::<usize>());
        assert!(sizes.sum::<usize>() <= OUTPUT_BYTES_MAX, "too large outputs");
    }
    answers
}

fn setup(isolation: Isolation) -> Setup {
    let limits = Limits {
        cpu_max: Duration::from_millis(5),
        wall_max: Duration::from_secs(1),
        memory_bytes_max: 1 << 20,
        output_bytes_max: OUTPUT_BYTES_MAX,
        outputs_max: OUTPUTS_MAX,
        ..Limits::default()
    };
    let grants: Grants = Grant::ALL.into_iter().collect();
    Setup { limits, grants, isolation: Some(isolation), ..Setup::default() }
}

/// For plugins that end: how long they take is nobody's concern.
fn patient() -> Setup {
    let mut setup = setup(Isolation::Batch);
    setup.limits.cpu_max = Duration::from_secs(10);
    setup.limits.wall_max = Duration::from_secs(100);
    Setup { metrics: Some(Arc::new(Told)), lines: Some(Arc::new(Told)), ..setup }
}

thread_local! {
    static EFFECTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn tell(effect: String) {
    EFFECTS.with_borrow_mut(|effects| effects.push(effect));
}

/// Takes what plugins do beside answering. The state holds what it is given against the contract's bounds, and keeps
/// nothing.
struct Told;

impl Told {
    fn key(key: &str) {
        assert!((1..=256).contains(&key.len()), "a key out of bounds");
    }
}

impl StateAccess for Told {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError> {
        Self::key(key);
        tell(format!("get {key:?} {now_ms}"));
        Ok((!key.len().is_multiple_of(3)).then(|| vec![b'x'; key.len() * 256]))
    }

    fn set(&self, key: &str, value: Vec<u8>, expiry: Option<i64>) -> Result<(), StateError> {
        Self::key(key);
        assert!(value.len() <= 64 << 10, "a value out of bounds");
        tell(format!("set {key:?} {value:x?} {expiry:?}"));
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StateError> {
        Self::key(key);
        tell(format!("delete {key:?}"));
        Err(StateError::Unavailable("not now".into()))
    }

    fn increment(
        &self,
        key: &str,
        by: i64,
        expiry: Option<i64>,
        now_ms: i64,
    ) -> Result<i64, StateError> {
        Self::key(key);
        tell(format!("increment {key:?} {by} {expiry:?} {now_ms}"));
        if by == 0 { Err(StateError::Unavailable("nothing".into())) } else { Ok(by) }
    }

    fn undo(&self) {
        tell("undo".to_owned());
    }
}

impl MetricSink for Told {
    fn count(&self, _: &str, name: &str, by: u64) {
        tell(format!("count {name} {by}"));
    }

    fn observe(&self, _: &str, name: &str, value: f64) {
        assert!(value.is_finite(), "an observation that is no number");
        tell(format!("observe {name} {value}"));
    }
}

impl LineSink for Told {
    fn is_wanted(&self, level: Level) -> bool {
        level != Level::Trace
    }

    fn line(&self, line: &Line<'_>) {
        let Line { level, event, rule, text, .. } = *line;
        let text = text.split(BREACH).next().unwrap_or_default();
        tell(format!("{} {event:?} {rule:?} {text}", level.name()));
    }
}
