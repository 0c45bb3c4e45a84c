//! Every key of a rule file.

/// One kind of map in a rule file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// For a sentence: "a rule", "a target".
    pub name: &'static str,
    pub keys: &'static [&'static str],
    /// Keys that people will write and this version does not have, each with a reason and a mend:
    /// refused as such instead of as a typo.
    pub refused: &'static [(&'static str, &'static str, &'static str)],
}

const NOT_YET: &str = "is not supported by this version";
pub(crate) const FOREIGN: &str =
    "is EventBridge's key, in a rule that is written in the router's own";

pub(crate) const RULE: Section = Section {
    name: "a rule",
    keys: &["name", "bus", "description", "enabled", "pattern", "targets", "tests"],
    refused: &[
        ("EventPattern", FOREIGN, "write the pattern, unchanged, as `pattern:`"),
        (
            "Targets",
            FOREIGN,
            "write `targets:`, each with an `id` and one of `http`, `log` and `bus`",
        ),
        ("Resources", FOREIGN, "write each rule as a map with `name`, `pattern` and `targets`"),
        ("Properties", FOREIGN, "write each rule as a map with `name`, `pattern` and `targets`"),
    ],
};

pub(crate) const TARGET: Section = Section {
    name: "a target",
    keys: &[
        "id",
        "http",
        "log",
        "bus",
        "transform",
        "retry",
        "concurrency",
        "rate",
        "timeout",
        "order_by",
        "batch",
        "start",
        "circuit",
    ],
    refused: &[],
};

pub(crate) const BATCH: Section =
    Section { name: "`batch`", keys: &["events", "within"], refused: &[] };

pub(crate) const CIRCUIT: Section =
    Section { name: "`circuit`", keys: &["failures", "probe_after"], refused: &[] };

pub(crate) const HTTP: Section = Section {
    name: "`http`",
    keys: &["url", "headers", "timeout", "connection"],
    refused: &[
        ("sign", NOT_YET, "remove it: requests are not signed; a token can be sent in `headers`"),
        ("secret", NOT_YET, "remove it: requests are not signed; a token can be sent in `headers`"),
    ],
};

pub(crate) const LOG: Section = Section { name: "`log`", keys: &["file"], refused: &[] };

pub(crate) const RETRY: Section =
    Section { name: "`retry`", keys: &["attempts", "max_age", "backoff"], refused: &[] };

pub(crate) const BACKOFF: Section =
    Section { name: "`backoff`", keys: &["min", "max"], refused: &[] };

pub(crate) const STEP: Section = Section {
    name: "a transform step",
    keys: &["plugin", "config", "grant", "isolation", "shadow", "canary", "input"],
    refused: &[],
};

/// The keys of a step that say something of its plugin.
pub(crate) const OF_PLUGIN: [&str; 5] = ["config", "grant", "isolation", "shadow", "canary"];

pub(crate) const CANARY: Section =
    Section { name: "`canary`", keys: &["plugin", "share", "by"], refused: &[] };

pub(crate) const INPUT: Section = Section {
    name: "`input`",
    keys: &["template", "paths", "format", "path", "constant"],
    refused: &[],
};

pub(crate) const TEST: Section =
    Section { name: "a test", keys: &["name", "event", "expect", "errors"], refused: &[] };

/// The kinds of target, each the key of a target.
pub(crate) const KINDS: [&str; 3] = ["http", "log", "bus"];
