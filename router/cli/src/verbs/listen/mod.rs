//! `slipswitch listen`: a bus's events to a program on this machine, while somebody works on it.
//!
//! # Invariants
//!
//! - The router knows nothing of it: this is a reader of its stream, like `slipswitch tail`.
//! - One delivery at a time, in the order of the journal. None is tried again unless somebody presses `r`.
//! - The terminal is as it was when this ends, however it ends.

mod desk;
mod forward;

use std::io::{self, Write as _};
use std::pin::Pin;

use clap::Args;
use serde::Deserialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::client::{Address, Client, Live, Told};
use crate::failure::Failure;
use crate::keys::{Key, Keyboard};
use crate::matching::Matching;
use crate::output::{self, complain};
use crate::paint::{Ink, Paint};
use crate::span::Since;
use desk::{Act, Desk, Kept};
use forward::{Forwarder, Outcome};

/// Of what a program answers when it does not accept.
const ANSWER_CHARS_MAX: usize = 200;
/// What a line takes beside the event's type: number, time, status, milliseconds, id.
const BESIDE_KIND_CHARS: usize = 3 + 2 + 9 + 2 + 3 + 2 + 7 + 2 + 2 + 36;
const KIND_CHARS_MIN: usize = 12;

const HELP: &str = "\
r, Enter   send the chosen event again: the last one, unless you choose
up, down   choose among the last 20; typing a number does, too
Esc        choose the last one again, whichever comes
q, Ctrl-C  end";

const EXAMPLES: &str = "\
Each event is sent by POST as an HTTP target would: the event as JSON, with the same headers (slipswitch-event-id, \
slipswitch-bus, …). Transforms of rules are not run. Nothing is changed at the router, and nothing is tried again: on \
a terminal `r` sends the last event once more, `?` shows the other keys.

Examples:
  slipswitch listen --forward-to http://127.0.0.1:3000/hook
  slipswitch listen --forward-to localhost:3000/hook --bus shop \\
      --rule big-orders/crm
  slipswitch listen --forward-to localhost:3000/hook \\
      --pattern '{\"detail-type\": [\"OrderCreated\"]}' --since 10m";

/// Deliver events to a program on this machine as they come.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where to: an address of a program on this machine, such as http://127.0.0.1:3000/hook
    #[arg(long, value_name = "URL")]
    forward_to: String,
    /// Only of this bus [default: all of them]
    #[arg(long)]
    bus: Option<String>,
    #[command(flatten)]
    matching: Matching,
    /// Only what this rule would send to this target
    #[arg(long, value_name = "RULE/TARGET", value_parser = rule_and_target)]
    rule: Option<(String, String)>,
    #[command(flatten)]
    begin: Since,
    #[command(flatten)]
    address: Address,
}

fn rule_and_target(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((rule, target)) if !rule.is_empty() && !target.is_empty() => {
            Ok((rule.to_owned(), target.to_owned()))
        }
        _ => Err("write it as RULE/TARGET, such as big-orders/crm".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let of = arguments.rule.as_ref().map(|(rule, target)| (rule.as_str(), target.as_str()));
    let forwarder = Forwarder::new(&arguments.forward_to, of)?;
    let (since, pattern) = (arguments.begin.time(), arguments.matching.text()?);
    if let Some((rule, target)) = of {
        check_rule(&client, arguments.bus.as_deref(), (rule, target))?;
    }
    let mut query = Vec::new();
    query.extend(pattern.map(|pattern| ("pattern", pattern)));
    query.extend(since.map(|since| ("since", since.to_string())));
    let mut live = client.live(arguments.bus.as_deref(), query);
    client.wait(async {
        live.open().await?;
        let whose =
            arguments.bus.as_ref().map_or("all buses".to_owned(), |bus| format!("bus {bus}"));
        complain(&format!("{whose} at {} → {}", client.base(), forwarder.url()));
        let keyboard = Keyboard::open()
            .map_err(|error| Failure::failed(format!("read keys from the terminal: {error}")))?;
        let room = Room {
            forwarder,
            desk: Desk::default(),
            keyboard,
            paint: Paint::new(output::answer_has_color()),
            resends: None,
        };
        room.attend(&mut live, of).await
    })
}

/// A rule that is not there would be waited for in silence.
fn check_rule(client: &Client, bus: Option<&str>, of: (&str, &str)) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Rule {
        name: String,
        bus: String,
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        id: String,
    }
    let rules: Vec<Rule> = client.get("/api/v1/rules", &[])?;
    let on_bus = rules.iter().filter(|rule| bus.is_none_or(|bus| rule.bus == bus));
    let known: Vec<String> = on_bus
        .flat_map(|rule| rule.targets.iter().map(|target| format!("{}/{}", rule.name, target.id)))
        .collect();
    let wanted = format!("{}/{}", of.0, of.1);
    if known.contains(&wanted) {
        return Ok(());
    }
    let near = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &wanted));
    let mend = near.map_or_else(
        || "there are no rules".to_owned(),
        |near| format!("did you mean `{near}`? `slipswitch status` lists them"),
    );
    Err(Failure::usage(format!("--rule {wanted}: there is no such rule and target; {mend}")))
}

/// What is shown of an envelope.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Envelope {
    id: String,
    detail_type: String,
}

type Delivering<'a> = Pin<Box<dyn Future<Output = (Kept, Outcome)> + 'a>>;

/// Everything between the stream and the program.
struct Room {
    forwarder: Forwarder,
    desk: Desk,
    /// None where nobody sits at a terminal.
    keyboard: Option<Keyboard>,
    paint: Paint,
    /// The event to be sent again when the one under way has ended.
    resends: Option<u64>,
}

/// What ends it, and what brings it back.
struct Signals {
    ends: [Signal; 3],
    goes_on: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        let goes_on = signal(SignalKind::from_raw(libc::SIGCONT))?;
        Ok(Self { ends: [interrupt?, terminate?, hangup?], goes_on })
    }

    async fn end(ends: &mut [Signal; 3]) {
        let [interrupt, terminate, hangup] = ends;
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hangup.recv() => (),
        }
    }
}

/// What happened.
enum Turn {
    End,
    Back,
    Pressed(Key),
    Delivered(Kept, Outcome),
    Came(Told),
}

impl Room {
    async fn attend(
        mut self,
        live: &mut Live<'_>,
        of: Option<(&str, &str)>,
    ) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::failed(format!("listen for signals: {error}"));
        let mut signals = Signals::listen().map_err(failed)?;
        let forwarder = self.forwarder.clone();
        let mut delivering: Option<Delivering<'_>> = None;
        self.prompt()?;
        loop {
            if delivering.is_none()
                && let Some(kept) = self.resends.take().and_then(|number| self.desk.again(number))
            {
                delivering = Some(Box::pin(deliver(&forwarder, kept)));
            }
            let turn = tokio::select! {
                biased;
                () = Signals::end(&mut signals.ends) => Turn::End,
                _ = signals.goes_on.recv() => Turn::Back,
                key = pressed(self.keyboard.as_mut()) => Turn::Pressed(key),
                (kept, outcome) = ended(delivering.as_mut()) => Turn::Delivered(kept, outcome),
                told = live.next(), if delivering.is_none() => Turn::Came(told?),
            };
            match turn {
                Turn::End => return Ok(self.wipe()?),
                Turn::Back => {
                    if let Some(keyboard) = &self.keyboard {
                        // A terminal that is gone ends this by a signal.
                        keyboard.enter().unwrap_or(());
                    }
                    self.prompt()?;
                }
                Turn::Pressed(key) => match self.desk.press(key) {
                    Act::Quit => return Ok(self.wipe()?),
                    Act::Help => self.print(HELP)?,
                    Act::Resend(number) => self.resends = Some(number),
                    Act::Show => self.prompt()?,
                    Act::Nothing => (),
                },
                Turn::Delivered(kept, outcome) => {
                    delivering = None;
                    self.print(&self.line(&kept, &outcome))?;
                }
                Turn::Came(told) if is_for(&told, of) => {
                    let Envelope { id, detail_type } =
                        serde_json::from_str(told.event.get()).unwrap_or_default();
                    let kept = self.desk.keep(told, id, detail_type);
                    delivering = Some(Box::pin(deliver(&forwarder, kept)));
                }
                Turn::Came(_) => (),
            }
        }
    }

    /// A line for an event, and one for what went wrong.
    fn line(&self, kept: &Kept, outcome: &Outcome) -> String {
        let width = output::screen_width();
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(BESIDE_KIND_CHARS));
        let kind: String = kept.detail_type.chars().take(room.max(KIND_CHARS_MIN)).collect();
        let time = kept.told.taken_at.split_once('T').map_or("", |(_, time)| time);
        let time = time.split_once('.').map_or(time, |(seconds, _)| seconds);
        let ink = if outcome.is_accepted() { Ink::Good } else { Ink::Bad };
        let status = match &outcome.status {
            Ok(status) => status.to_string(),
            Err(_) => "---".to_owned(),
        };
        let again = match kept.attempts {
            1 => String::new(),
            attempts => format!("try {attempts}"),
        };
        let words = [
            (Ink::Bold, format!("{:>3}", format!("#{}", kept.number))),
            (Ink::Dim, format!("{time}Z")),
            (ink, status),
            (Ink::Plain, format!("{:>4} ms", outcome.millis)),
            (Ink::Warning, again),
            (Ink::Plain, kind),
            (Ink::Dim, kept.id.clone()),
        ];
        let words: Vec<(Ink, &str)> =
            words.iter().map(|(ink, text)| (*ink, text.as_str())).collect();
        let mut lines = self.paint.row("", &words, width);
        let why = match &outcome.status {
            Err(reason) => reason.clone(),
            Ok(_) if outcome.is_accepted() => String::new(),
            Ok(_) => outcome.answer.trim().chars().take(ANSWER_CHARS_MAX).collect(),
        };
        if !why.is_empty() {
            lines.push_str(&self.paint.row("     ", &[(Ink::Bad, &why)], width));
        }
        lines
    }

    /// Something above the last line of the screen, which shows what the keys would do.
    fn print(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.keyboard.is_some() {
            write!(out, "\r\u{1b}[2K")?;
        }
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
        out.flush()?;
        drop(out);
        self.prompt()
    }

    fn prompt(&self) -> io::Result<()> {
        if self.keyboard.is_none() {
            return Ok(());
        }
        let text = match self.desk.chosen() {
            None => "waiting for events · ? help · q quit".to_owned(),
            Some(kept) => {
                let which = if self.desk.is_last_chosen() { "the last, " } else { "" };
                let (number, kind) = (kept.number, &kept.detail_type);
                format!("r sends {which}#{number} {kind} again · ↑↓ choose · ? help · q quit")
            }
        };
        let width = output::screen_width().map(|width| width.saturating_sub(1));
        let row = self.paint.row("", &[(Ink::Dim, &text)], width);
        let mut out = io::stdout().lock();
        write!(out, "\r\u{1b}[2K{}", row.trim_end_matches('\n'))?;
        out.flush()
    }

    fn wipe(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.keyboard.is_some() {
            write!(out, "\r\u{1b}[2K")?;
        }
        out.flush()
    }
}

fn is_for(told: &Told, of: Option<(&str, &str)>) -> bool {
    let Some((rule, target)) = of else { return true };
    let is_it = |one: &crate::client::Matched| {
        one.rule == rule && one.targets.iter().any(|one| one == target)
    };
    told.matched.iter().any(is_it)
}

async fn deliver(forwarder: &Forwarder, kept: Kept) -> (Kept, Outcome) {
    let outcome = forwarder.deliver(&kept.told, &kept.id, kept.attempts).await;
    (kept, outcome)
}

async fn pressed(keyboard: Option<&mut Keyboard>) -> Key {
    match keyboard {
        Some(keyboard) => keyboard.next().await,
        None => std::future::pending().await,
    }
}

async fn ended(delivering: Option<&mut Delivering<'_>>) -> (Kept, Outcome) {
    match delivering {
        Some(delivering) => delivering.await,
        None => std::future::pending().await,
    }
}
