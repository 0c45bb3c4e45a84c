//! `cargo xtask demo`: the example shop, end to end, before your eyes.
//!
//! ```text
//! build plugins and router ─▶ receivers for the shop's services ─▶ router on rules/ and plugins/, fresh data folder
//!   ─▶ send the recorded events ─▶ wait ─▶ one service comes up ─▶ redrive the dead letters ─▶ replay one rule
//! ```
//!
//! With `--once`, or when standard output is no terminal, it ends then: 0 when exactly what had to arrive arrived,
//! else 1 and a list of what did not. On a terminal it stays up, shows what arrives, and says how to go on.
//!
//! # Not here
//!
//! - What has to arrive: `expected`, which asks neither the rules nor the router.

mod arrived;
mod expected;
mod report;
mod router;

use std::{
    collections::BTreeSet,
    fs,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use receiver::{Answer, Receiver, Request};

use crate::{
    demo::{expected::Expected, router::Router},
    plugins, print, run, shop, wasm,
};

/// How long anything may take to arrive before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers that make the demonstration interesting.
const INVENTORY_FAILURES: usize = 5;
const CRM_REFUSALS: usize = 3;

const REPLAY: &str = "confirm-again";
const REPLAYED_RULE: &str = "order-confirmation";

/// The shop's services, as far as HTTP goes: all but one live in one receiver.
struct Services {
    most: Receiver,
    shipping: Receiver,
}

/// What the demonstration found out, for the report.
struct Findings {
    events: usize,
    expected: Expected,
    arrived: arrived::Arrived,
    replayed: usize,
    logged: usize,
    dead: usize,
    wrong: Vec<String>,
}

pub(crate) fn demo(root: &Path, once: bool) -> anyhow::Result<()> {
    let stays_up = !once && std::io::stdout().is_terminal();
    if !once && !stays_up {
        print::line("standard output is no terminal, so this ends by itself, as with --once");
    }
    let program = build(root)?;
    let folder = root.join("target/demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;

    let services = Services::start()?;
    let router = Router::start(root, &program, &folder, &services.environment())?;
    print::line(&format!(
        "\nthe router listens on {}, its log is in {}",
        router.url(),
        shown(root, router.log())
    ));
    let findings = play(root, &router, &services)?;
    for line in report::lines(&findings) {
        print::line(&line);
    }
    if stays_up {
        stay(root, &program, &router, &services);
    }
    let status = router.stop()?;
    if !status.success() {
        bail!("the router ended with {status}; see {}", shown(root, &folder.join("router.log")));
    }
    if !findings.wrong.is_empty() {
        bail!(
            "{} things are not as they should be:\n{}\nthe router's log is in {}",
            findings.wrong.len(),
            findings.wrong.join("\n"),
            shown(root, &folder.join("router.log"))
        );
    }
    print::line("\nevery expected delivery arrived, and nothing else did");
    Ok(())
}

/// Plugins and router, in release. Returns the command.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    print::line(
        "building the plugins, then the router, in release; the first time that takes some minutes",
    );
    let toolchain = wasm::ensure(root)?;
    for file in plugins::build_all(root, &toolchain)? {
        print::line(&format!("built {}", shown(root, &file)));
    }
    run::run(run::cargo(root).args(["build", "--release", "--locked", "-p", "slipswitch-cli"]))?;
    Ok(program(root))
}

/// Where a release build of the command is.
pub(crate) fn program(root: &Path) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join("release/slipswitch")
}

fn play(root: &Path, router: &Router, services: &Services) -> anyhow::Result<Findings> {
    let events = shop::read(root)?;
    print::line(&format!("$ slipswitch send --bus shop {}", shop::FILE));
    let printed = router.ask(&["send", "--bus", "shop", shop::FILE])?;
    let ids: Vec<String> = printed.lines().map(str::to_owned).collect();
    if ids.len() != events.len() {
        bail!("{} events were sent, but {} ids came back", events.len(), ids.len());
    }
    print::line(&format!(
        "{} events sent, {} ids came back: they are on disk",
        events.len(),
        ids.len()
    ));
    let expected = Expected::of(&events, &ids)?;
    let mut wrong = Vec::new();

    let to_shipping = expected.http.keys().filter(|key| key.target == "shipping").count();
    let to_most = expected.http.len() - to_shipping;
    print::line("the shipping service is down; the others get their deliveries meanwhile …");
    wait(&services.most, to_most - CRM_REFUSALS, None);
    print::line("… and now it comes up");
    services.shipping.restart().context("bring the shipping service up")?;
    wait(&services.shipping, to_shipping, None);

    let dead = dead_letters(router)?;
    print::line("$ slipswitch dlq ls");
    print::line(router.ask(&["dlq", "ls"])?.trim_end());
    if dead != CRM_REFUSALS {
        wrong.push(format!("dead letters: {dead}, expected {CRM_REFUSALS}"));
    }
    print::line("$ slipswitch dlq redrive --all --yes");
    print::line(router.ask(&["dlq", "redrive", "--all", "--yes"])?.trim_end());
    wait(&services.most, to_most, None);

    let again = expected.of_rule(REPLAYED_RULE);
    let words = [
        "replay",
        "start",
        "--bus",
        "shop",
        "--since",
        "1h",
        "--rule",
        REPLAYED_RULE,
        "--name",
        REPLAY,
    ];
    print::line(&format!("$ slipswitch {}", words.join(" ")));
    print::line(router.ask(&words)?.trim_end());
    wait(&services.most, again.len(), Some(REPLAY));

    let requests = services.requests();
    let live = arrived::sort(&requests, None);
    let replay = arrived::sort(&requests, Some(REPLAY));
    wrong.extend(arrived::compare(&expected.http, &live));
    wrong.extend(
        arrived::compare(&again, &replay).into_iter().map(|line| format!("in the replay: {line}")),
    );
    let logged = logged(router, &expected);
    if logged != expected.logged.len() {
        wrong
            .push(format!("operations log: {logged} of {} LowStock events", expected.logged.len()));
    }
    let replayed = arrived::accepted(&again, &replay);
    Ok(Findings { events: events.len(), expected, arrived: live, replayed, logged, dead, wrong })
}

/// Waits until so many different deliveries were accepted; what is missing then shows in the comparison.
fn wait(receiver: &Receiver, deliveries: usize, replay: Option<&str>) {
    let mark = replay.map(|name| format!(";replay={name}"));
    let is_ours = |id: &&str| match &mark {
        Some(mark) => id.ends_with(mark),
        None => !id.contains(";replay="),
    };
    let enough = |requests: &[Request]| {
        let accepted = requests.iter().filter(|request| request.was_accepted());
        let ids: BTreeSet<&str> =
            accepted.filter_map(Request::delivery_id).filter(is_ours).collect();
        ids.len() >= deliveries
    };
    // Timing out is no error yet.
    receiver.wait_for(PATIENCE, enough).ok();
}

/// How many dead letters there are, once there are as many as there have to be.
fn dead_letters(router: &Router) -> anyhow::Result<usize> {
    let count = || -> anyhow::Result<usize> {
        let listing = router.ask(&["dlq", "ls", "--limit", "1000", "-o", "json"])?;
        let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(&listing)?;
        Ok(items.len())
    };
    look_until(|| count().map(|count| (count, count >= CRM_REFUSALS)))
}

/// How many of the events for the operations log the router's console shows.
fn logged(router: &Router, expected: &Expected) -> usize {
    let count = || {
        let console = router.console();
        expected
            .logged
            .iter()
            .filter(|id| console.iter().any(|line| line.contains(id.as_str())))
            .count()
    };
    look_until(|| Ok((count(), count() == expected.logged.len())))
        .unwrap_or_else(|_: anyhow::Error| count())
}

/// Looks again and again until it is enough, or patience ends; returns the last look.
fn look_until(mut look: impl FnMut() -> anyhow::Result<(usize, bool)>) -> anyhow::Result<usize> {
    let pause = Duration::from_millis(200);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if let (count, true) = look()? {
            return Ok(count);
        }
        thread::sleep(pause);
    }
    Ok(look()?.0)
}

/// Until somebody presses Ctrl-C, which ends this process and the router alike.
fn stay(root: &Path, program: &Path, router: &Router, services: &Services) {
    for line in report::invitation(router.url(), &shown(root, program)) {
        print::line(&line);
    }
    thread::scope(|scope| {
        for receiver in [&services.most, &services.shipping] {
            scope.spawn(|| watch(receiver));
        }
    });
}

/// Prints what arrives from now on.
fn watch(receiver: &Receiver) {
    let mut seen = receiver.requests().len();
    let forever = Duration::from_secs(u64::from(u32::MAX));
    while let Ok(requests) = receiver.wait_for(forever, |requests| requests.len() > seen) {
        for request in requests.iter().skip(seen) {
            print::line(&report::arrival(request));
        }
        seen = requests.len();
    }
}

impl Services {
    fn start() -> anyhow::Result<Self> {
        let most = Receiver::start().context("start the services")?;
        most.script("/inventory", vec![Answer::status(503); INVENTORY_FAILURES]);
        most.script("/crm", vec![Answer::status(400).body("no such customer"); CRM_REFUSALS]);
        let shipping = Receiver::start().context("start the shipping service")?;
        shipping.stop();
        Ok(Self { most, shipping })
    }

    /// Where the shop's rules find them.
    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ORDER_URL", self.most.url("/order")),
            ("PAYMENT_URL", self.most.url("/payment")),
            ("INVENTORY_URL", self.most.url("/inventory")),
            ("NOTIFICATION_URL", self.most.url("/notification")),
            ("CRM_URL", self.most.url("/crm")),
            ("ANALYTICS_URL", self.most.url("/analytics")),
            ("SHIPPING_URL", self.shipping.url("/shipping")),
        ]
    }

    fn requests(&self) -> Vec<Request> {
        let mut requests = self.most.requests();
        requests.extend(self.shipping.requests());
        requests
    }
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
