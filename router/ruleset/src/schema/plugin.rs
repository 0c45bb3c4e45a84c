//! A step that is a plugin: its configuration, what it is granted, and who runs beside it.

use super::Reading;
use super::keys::CANARY;
use crate::code::Code;
use crate::flow::OrderBy;
use crate::nearest::{list, nearest, suggest};
use crate::plugins::{Canary, Grant, Isolation, PluginUse, PrepareError};
use crate::transform::Step;
use crate::yaml::{self, Filling, Node, Span, Value};

impl Reading<'_> {
    pub(super) fn plugin(&mut self, step: &Node) -> Option<Step> {
        let value = |key: &str| step.member(key).map(|member| &member.value);
        let name = self.text(value("plugin")?, "`plugin`")?;
        let faults_before = self.faults.len();
        let json = match value("config") {
            Some(config) => {
                let filled = self.filled(config);
                yaml::to_json(&filled, &mut self.faults).text
            }
            None => "{}".to_owned(),
        };
        let wanted = PluginUse {
            name,
            place: self.at.clone(),
            config_json: &json,
            grants: value("grant").map_or_else(Vec::new, |node| self.grants(node)),
            isolation: value("isolation").and_then(|node| self.isolation(node)),
            shadow: value("shadow").and_then(|node| self.other(node, name, "`shadow`")),
            canary: value("canary").and_then(|node| self.canary(node, name)),
        };
        if let (Some(shadow), Some(_)) = (step.member("shadow"), step.member("canary")) {
            let words = (
                "a step has a `shadow` or a `canary`, and this one has both",
                "the one of them",
                "try the new plugin as a `shadow` first, and as a `canary` then",
            );
            self.fault(shadow.key_span.clone(), words);
        }
        if faults_before != self.faults.len() {
            return None; // Such a use was never meant.
        }
        match self.context.plugins.prepare(&wanted) {
            Ok(step) => Some(Step::Plugin { name: name.to_owned(), step, digest: wanted.digest() }),
            Err(error) => {
                self.unprepared(step, &wanted, &error);
                None
            }
        }
    }

    fn grants(&mut self, node: &Node) -> Vec<Grant> {
        let mend = "write them as a list, such as `[state, clock]`";
        let Some(items) = self.list(node, "`grant`", mend) else { return Vec::new() };
        let names = Grant::ALL.map(Grant::name);
        let found = items.iter().filter_map(|item| {
            let text = self.text(item, "a grant")?;
            let grant = Grant::ALL.into_iter().find(|grant| grant.name() == text);
            if grant.is_none() {
                let mend = suggest(text, &names, "there are");
                let message = format!("`{text}` is nothing that a plugin can be granted");
                self.fault(item.span.clone(), (message, "unknown", mend));
            }
            grant
        });
        let mut grants: Vec<Grant> = found.collect();
        grants.sort_unstable();
        grants.dedup();
        grants
    }

    fn isolation(&mut self, node: &Node) -> Option<Isolation> {
        let text = self.text(node, "`isolation`")?;
        let found = Isolation::ALL.into_iter().find(|isolation| isolation.name() == text);
        if found.is_none() {
            let mend = suggest(text, &Isolation::ALL.map(Isolation::name), "write one of");
            let message = format!("`{text}` is no isolation");
            self.fault(node.span.clone(), (message, "unknown", mend));
        }
        found
    }

    /// The plugin that runs beside `name`.
    fn other(&mut self, node: &Node, name: &str, key: &str) -> Option<String> {
        let other = self.text(node, key)?;
        if other == name {
            let message = format!("{key} is the plugin itself");
            let mend = "name another file of the plugins folder, such as its next version";
            self.fault(node.span.clone(), (message, "the same", mend));
        }
        Some(other.to_owned())
    }

    fn canary(&mut self, node: &Node, name: &str) -> Option<Canary> {
        if !self.is_section(node, &CANARY) {
            return None;
        }
        let plugin = self.required(node, &CANARY, "plugin");
        let plugin = plugin.and_then(|plugin| self.other(plugin, name, "`plugin` of `canary`"));
        let share = self.required(node, &CANARY, "share");
        let share = share.and_then(|share| self.share(share));
        let by = node.member("by").map(|member| self.json_path(&member.value).map(OrderBy));
        Some(Canary { plugin: plugin?, share: share?, by: by.unwrap_or_default() })
    }

    /// A percentage, of 10,000.
    fn share(&mut self, node: &Node) -> Option<u32> {
        let text = match &node.value {
            Value::Text(_) if node.filling == Filling::Failed => return None,
            Value::Text(text) => text.as_str(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => "",
        };
        let share = text.strip_suffix('%').and_then(hundredths).filter(|share| *share <= 10_000);
        if share.is_none() {
            let words = (
                "`share` is no share of the events",
                "not allowed",
                "write a percentage from `0%` to `100%`, such as `10%` or `0.5%`",
            );
            self.fault(node.span.clone(), words);
        }
        share
    }

    fn unprepared(&mut self, step: &Node, wanted: &PluginUse<'_>, error: &PrepareError) {
        let value = |key: &str| step.member(key).map(|member| &member.value);
        let (Some(plugin), config) = (value("plugin"), value("config")) else { return };
        let name = self.text(plugin, "`plugin`").unwrap_or_default().to_owned();
        let (name, plugin, error) = match error {
            PrepareError::Beside { name, error } => {
                let canary = value("canary").and_then(|canary| canary.member("plugin"));
                let other = value("shadow").or(canary.map(|member| &member.value));
                (name.clone(), other.unwrap_or(plugin), &**error)
            }
            error => (name, plugin, error),
        };
        let at_grant = value("grant").unwrap_or(plugin);
        let (span, words): (Span, (String, String, String)) = match error {
            PrepareError::Missing { looked_in } => {
                let message = format!("there is no plugin `{name}` in {looked_in}");
                (plugin.span.clone(), (message, "not found".to_owned(), self.instead_of(&name)))
            }
            PrepareError::Broken(reason) => {
                let mend = "do what is said there; nothing is wrong with the rule".to_owned();
                let message = format!("the plugin `{name}` cannot be used: {reason}");
                (plugin.span.clone(), (message, "cannot be used".to_owned(), mend))
            }
            PrepareError::ConfigRefused(reason) => {
                let at = config.unwrap_or(plugin);
                let mend = format!("`slipswitch plugin inspect …/{name}.wasm` shows what it takes");
                let label = if config.is_some() { "refused" } else { "needs a `config`" };
                let message = format!("the plugin `{name}` refuses its configuration: {reason}");
                (at.span.clone(), (message, label.to_owned(), mend))
            }
            PrepareError::NotGranted(missing) => {
                let quoted = Grant::quoted(missing);
                let message =
                    format!("the plugin `{name}` asks for {quoted}, which is not granted");
                let all = wanted.grants.iter().chain(missing).map(|grant| grant.name());
                let all = all.collect::<Vec<_>>().join(", ");
                let mend = format!("write `grant: [{all}]` on the step if it may have that");
                let label = format!("without {quoted}");
                (at_grant.span.clone(), (message, label, mend))
            }
            PrepareError::NotAsked(grant) => {
                let grant = grant.name();
                let message =
                    format!("`{grant}` is granted, and the plugin `{name}` does not ask for it");
                let mend = format!("remove `{grant}` from `grant`");
                (at_grant.span.clone(), (message, format!("`{grant}` is of no use"), mend))
            }
            PrepareError::NoState => {
                let message =
                    format!("the plugin `{name}` keeps state, and a shadow has none to look at");
                let mend =
                    "try it as a `canary`, which goes on with the state of the plugin of the rule";
                (plugin.span.clone(), (message, "no shadow".to_owned(), mend.to_owned()))
            }
            PrepareError::Beside { .. } => (plugin.span.clone(), Default::default()),
        };
        let code = match error {
            PrepareError::Missing { .. }
            | PrepareError::Broken(_)
            | PrepareError::Beside { .. } => Code::UnknownPlugin,
            PrepareError::ConfigRefused(_)
            | PrepareError::NotGranted(_)
            | PrepareError::NotAsked(_)
            | PrepareError::NoState => Code::ConfigurationRefused,
        };
        self.fault_as(code, span, words);
    }

    /// What to do about a plugin that is not there.
    fn instead_of(&self, name: &str) -> String {
        let names = self.context.plugins.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match (nearest(name, names.iter().copied()), names.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => format!("put `{name}.wasm` there: there are no plugins yet"),
            (None, names) => {
                format!("put `{name}.wasm` there; the plugins there are {}", list(names))
            }
        }
    }
}

/// A number with at most two digits behind the point, times a hundred.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || 2 < part.len() {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_counted_in_hundredths_of_a_percent() {
        let all = ["10", "0.5", "0.05", "100", "0", "7.25", "", "1.", ".5", "-1", "1.005", "1e2"];
        let known = [1000, 50, 5, 10_000, 0, 725].map(Some).into_iter().chain([None; 6]);
        assert_eq!(all.map(hundredths).to_vec(), known.collect::<Vec<_>>());
    }
}
