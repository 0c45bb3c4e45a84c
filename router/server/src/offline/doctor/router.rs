//! A router that runs, as it was heard over HTTP.

use super::check::Check;

/// Between two clocks; a `Date` header counts in seconds.
const SKEW_MS_MAX: i64 = 5_000;

/// What came back when a router was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// There is no address to ask at.
    NotAsked,
    /// No answer; `is_named` when somebody said that there is a router.
    Nobody { url: String, is_named: bool },
    /// It reads its rules and plugins still.
    Starting { url: String, reason: String },
    /// An answer that no router gives.
    Stranger { url: String, answer: String },
    Router {
        url: String,
        version: String,
        /// Why it takes no events.
        not_ready: Option<String>,
        /// How far its clock is behind ours; negative when it is ahead.
        behind_ms: Option<i64>,
        /// What was wrong with the rules at the last reload.
        last_error: Option<String>,
    },
}

impl Heard {
    pub(super) fn is_router_at(&self, here: &str) -> bool {
        match self {
            Self::Router { url, .. } | Self::Starting { url, .. } => url == here,
            Self::NotAsked | Self::Nobody { .. } | Self::Stranger { .. } => false,
        }
    }
}

pub(super) fn judge(heard: &Heard, version: &str) -> Vec<Check> {
    let about = "router";
    let (url, theirs, not_ready, behind_ms, last_error) = match heard {
        Heard::NotAsked => return vec![Check::ok(about, "not asked: its port is any free one")],
        Heard::Nobody { url, is_named: false } => {
            return vec![Check::ok(about, format!("none runs at {url}"))];
        }
        Heard::Nobody { url, is_named: true } => {
            let mend =
                "start it with `slipswitch serve`, or name another with --url or SLIPSWITCH_URL";
            return vec![Check::problem(about, format!("none answers at {url}"), mend)];
        }
        Heard::Starting { url, reason } => {
            let found = format!("the one at {url} is starting: {reason}");
            return vec![Check::warning(
                about,
                found,
                "ask again in a moment: `slipswitch doctor`",
            )];
        }
        Heard::Stranger { url, answer } => {
            let mend = "name the router's address with --url or SLIPSWITCH_URL";
            let found = format!("what answers at {url} is no router: {answer}");
            return vec![Check::problem(about, found, mend)];
        }
        Heard::Router { url, version, not_ready, behind_ms, last_error } => {
            (url, version, not_ready, behind_ms, last_error)
        }
    };
    let mut checks = vec![if theirs == version {
        Check::ok(about, format!("slipswitch {theirs} answers at {url}, as this command is"))
    } else {
        let found = format!("slipswitch {theirs} runs at {url}, and this command is {version}");
        Check::warning(about, found, "restart it with this version, or use that one's command")
    }];
    checks.push(match not_ready {
        None => Check::ok("readiness", "it takes events"),
        Some(reason) => Check::problem(
            "readiness",
            reason,
            "`slipswitch status` says more; docs/operations.md has the mends",
        ),
    });
    checks.extend(behind_ms.map(clock));
    checks.push(match last_error {
        None => Check::ok("last reload", "the rules that lie in its folders run"),
        Some(error) => Check::problem(
            "last reload",
            format!("the rules on its disk are broken, and older ones run: {error}"),
            "`slipswitch reload` shows what is wrong; mend it, and the router takes it up by itself",
        ),
    });
    checks
}

fn clock(behind_ms: i64) -> Check {
    let about = "router's clock";
    if behind_ms.abs() <= SKEW_MS_MAX {
        return Check::ok(about, "agrees with the one here");
    }
    let which = if behind_ms < 0 { "ahead of" } else { "behind" };
    let seconds = behind_ms.abs() / 1000;
    Check::warning(
        about,
        format!("{seconds} s {which} the one here: `--since 1h` means another hour there"),
        "have both machines' clocks set by NTP: `timedatectl set-ntp true`",
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::State::{self, Ok, Problem, Warning};
    use super::*;

    fn states(heard: &Heard) -> Vec<(&'static str, State)> {
        judge(heard, "0.1.0").into_iter().map(|check| (check.about, check.state)).collect()
    }

    #[test]
    fn no_router_is_a_problem_only_where_one_was_named() {
        let nobody = |is_named| Heard::Nobody { url: "http://a".to_owned(), is_named };
        assert_eq!(states(&nobody(false)), [("router", Ok)]);
        assert_eq!(states(&nobody(true)), [("router", Problem)]);
        let stranger = Heard::Stranger { url: "http://a".to_owned(), answer: "404".to_owned() };
        assert_eq!(states(&stranger), [("router", Problem)]);
        let starting = Heard::Starting { url: "http://a".to_owned(), reason: "soon".to_owned() };
        assert_eq!(states(&starting), [("router", Warning)]);
        assert_eq!(states(&Heard::NotAsked), [("router", Ok)]);
    }

    #[test]
    fn a_router_is_judged_by_version_readiness_clock_and_rules() {
        let router =
            |version: &str, not_ready: Option<&str>, behind_ms, last_error: Option<&str>| {
                Heard::Router {
                    url: "http://a".to_owned(),
                    version: version.to_owned(),
                    not_ready: not_ready.map(str::to_owned),
                    behind_ms,
                    last_error: last_error.map(str::to_owned),
                }
            };
        let cases = [
            (router("0.1.0", None, Some(900), None), [Ok, Ok, Ok, Ok]),
            (router("0.2.0", None, Some(-5_000), None), [Warning, Ok, Ok, Ok]),
            (router("0.1.0", Some("disk"), Some(5_001), None), [Ok, Problem, Warning, Ok]),
            (router("0.1.0", None, Some(-60_000), Some("a.yaml")), [Ok, Ok, Warning, Problem]),
        ];
        for (heard, expected) in cases {
            let found: Vec<State> = states(&heard).into_iter().map(|(_, state)| state).collect();
            assert_eq!(found, expected, "{heard:?}");
        }
        let ahead = judge(&router("0.1.0", None, Some(-60_000), None), "0.1.0");
        assert!(ahead[2].found.starts_with("60 s ahead of"), "{ahead:?}");
    }
}
