//! The variables that every template has without naming a path.

use std::borrow::Cow;

use event::{Event, Timestamp};

use crate::json::{Nested, push_quoted};

/// How reserved names begin; no path of a rule may be named so.
pub(crate) const PREFIX: &str = "aws.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    RuleArn,
    RuleName,
    IngestionTime,
    /// The event without its detail.
    Event,
    /// The whole event.
    EventJson,
}

pub(crate) const NAMES: [(&str, Reserved); 5] = [
    ("aws.events.rule-arn", Reserved::RuleArn),
    ("aws.events.rule-name", Reserved::RuleName),
    ("aws.events.event.ingestion-time", Reserved::IngestionTime),
    ("aws.events.event", Reserved::Event),
    ("aws.events.event.json", Reserved::EventJson),
];

impl Reserved {
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// What it is in every event, when that is no text.
    pub(super) fn always(self) -> Option<Nested> {
        match self {
            Self::RuleArn | Self::RuleName | Self::IngestionTime => None,
            Self::Event | Self::EventJson => Some(Nested::Object),
        }
    }
}

/// What the reserved variables say. The event is the one that matched, also behind a plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub event: &'a Event,
    pub rule: &'a str,
    pub bus: &'a str,
    pub ingested: Timestamp,
}

impl<'a> Facts<'a> {
    pub(super) fn json(&self, reserved: Reserved) -> Cow<'a, str> {
        let quoted = |text: &str| {
            let mut out = String::with_capacity(text.len() + 2);
            push_quoted(&mut out, text);
            Cow::Owned(out)
        };
        match reserved {
            Reserved::RuleName => quoted(self.rule),
            Reserved::RuleArn => quoted(&self.rule_arn()),
            Reserved::IngestionTime => quoted(&self.ingested.to_string()),
            Reserved::Event => Cow::Owned(self.head()),
            Reserved::EventJson => Cow::Borrowed(self.event.json()),
        }
    }

    fn rule_arn(&self) -> String {
        let (region, account) = (self.event.region(), self.event.account());
        let on = match self.bus {
            "default" => String::new(),
            bus => format!("{bus}/"),
        };
        format!("arn:aws:events:{region}:{account}:rule/{on}{}", self.rule)
    }

    /// EventBridge's own keys and order; `detailType` is spelled so there.
    fn head(&self) -> String {
        let event = self.event;
        let mut out = String::from("{");
        for (key, value) in [
            ("id", event.id()),
            ("account", event.account()),
            ("detailType", event.detail_type()),
            ("time", event.time_text()),
            ("source", event.source()),
            ("region", event.region()),
        ] {
            push_quoted(&mut out, key);
            out.push(':');
            push_quoted(&mut out, value);
            out.push(',');
        }
        out.push_str("\"resources\":");
        out.push_str(event.resources());
        out.push_str(",\"version\":\"0\"}");
        out
    }
}
