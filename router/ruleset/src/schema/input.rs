//! `input:`: a template with its paths, a path, or a constant.

use super::keys::INPUT;
use super::{Reading, has_typo};
use crate::code::Code;
use crate::path::JsonPath;
use crate::template::{self, Format, Name, Template};
use crate::transform::{Input, Made};
use crate::yaml::{self, Member, Node, Value};

/// How many paths a template may have, as in EventBridge.
const PATHS_MAX: usize = 100;

/// How long the name of a variable may be, as in EventBridge.
const NAME_BYTES_MAX: usize = 256;

/// How long a constant may be, as JSON. EventBridge takes 8,192 characters.
const CONSTANT_BYTES_MAX: usize = template::BYTES_MAX;

impl Reading<'_> {
    pub(super) fn input(&mut self, node: &Node) -> Option<Input> {
        if !self.is_section(node, &INPUT) {
            return None;
        }
        let forms: Vec<&Member> =
            ["template", "path", "constant"].iter().filter_map(|key| node.member(key)).collect();
        let made = match forms.as_slice() {
            [one] if one.key == "template" => self.template(node, &one.value),
            [one] => {
                self.refuse_template_keys(node);
                if one.key == "path" { self.path(&one.value) } else { self.constant(&one.value) }
            }
            [] => {
                if has_typo(node, &INPUT) {
                    return None;
                }
                let words = (
                    "this `input` makes nothing",
                    "neither template, path nor constant",
                    "add `template: …` (with `paths`), `path: $.…` or `constant: …`",
                );
                self.fault_as(Code::MissingKey, node.span.clone(), words);
                None
            }
            [first, second, ..] => {
                let message = format!(
                    "`input` has `{}` and `{}`, and takes one of them",
                    first.key, second.key
                );
                self.fault(
                    second.key_span.clone(),
                    (message, "the second one", "remove one of them"),
                );
                None
            }
        };
        made.map(Input)
    }

    fn refuse_template_keys(&mut self, node: &Node) {
        for key in ["paths", "format"] {
            if let Some(member) = node.member(key) {
                let message = format!("`{key}` belongs to a `template`, and there is none");
                self.fault(member.key_span.clone(), (message, "not read", "remove it"));
            }
        }
    }

    fn template(&mut self, input: &Node, node: &Node) -> Option<Made> {
        let faults_before = self.faults.len();
        let format = input.member("format").and_then(|member| self.format(&member.value));
        let paths = input.member("paths").map_or(Vec::new(), |member| self.paths(&member.value));
        let text = self.text(node, "`template`")?;
        // Behind another step a path searches what that one made, of which nothing is known.
        let is_event = self.at.step == 0;
        let names = paths.iter().map(|(name, path)| {
            let always = path.as_ref().and_then(|path| path.always(is_event));
            Name { name, always }
        });
        let names: Vec<Name<'_>> = names.collect();
        let template = match Template::parse(text, &names, format) {
            Ok(template) => template,
            Err(errors) => {
                for error in errors {
                    let span = node.place_of(error.span, self.source.text);
                    let words = (error.message, error.label, error.mend);
                    self.fault_as(Code::InvalidTemplate, span, words);
                }
                return None;
            }
        };
        if faults_before != self.faults.len() {
            return None;
        }
        self.unused(input, text);
        let paths: Option<Vec<JsonPath>> = paths.into_iter().map(|(_, path)| path).collect();
        Some(Made::Template { template, paths: paths? })
    }

    /// Warns of names that the template does not use.
    fn unused(&mut self, input: &Node, template: &str) {
        let Some(Member { value: Node { value: Value::Map(members), .. }, .. }) =
            input.member("paths")
        else {
            return;
        };
        for member in members {
            let name = &member.key;
            if !template.contains(&format!("<{name}>")) {
                let message = format!("the template never uses `{name}`");
                let mend =
                    format!("write `<{name}>` where its value is to stand, or remove the path");
                let words = (message, "not used", mend);
                self.warning(Code::UnusedVariable, member.key_span.clone(), words);
            }
        }
    }

    fn format(&mut self, node: &Node) -> Option<Format> {
        match self.text(node, "`format`")? {
            "json" => Some(Format::Json),
            "text" => Some(Format::Text),
            _ => {
                let words = ("`format` is no format", "unknown", "write `json` or `text`");
                self.fault(node.span.clone(), words);
                None
            }
        }
    }

    /// Names and their paths; a name whose path is none is still a name.
    fn paths(&mut self, node: &Node) -> Vec<(String, Option<JsonPath>)> {
        let Value::Map(members) = &node.value else {
            let words = (
                "`paths` must be a map",
                format!("this is {}", node.kind()),
                "write a name and a path, such as `id: $.detail.orderId`",
            );
            self.fault_as(Code::WrongType, node.span.clone(), words);
            return Vec::new();
        };
        if PATHS_MAX < members.len() {
            let message = format!("a template has at most {PATHS_MAX} paths");
            let label = format!("these are {}", members.len());
            self.fault(node.span.clone(), (message, label, "leave some out"));
        }
        let mut paths = Vec::new();
        for member in members {
            let name = &member.key;
            let mend = if name.starts_with(template::PREFIX) {
                Some("names that begin with `aws.` are reserved")
            } else if !template::is_name(name) {
                Some("a name has letters, digits, dots, hyphens and underscores")
            } else if NAME_BYTES_MAX < name.len() {
                Some("a name has at most 256 characters")
            } else {
                None
            };
            if let Some(mend) = mend {
                let message = format!("`{name}` is no name for a variable");
                self.fault(member.key_span.clone(), (message, "not allowed", mend));
            }
            paths.push((name.clone(), self.json_path(&member.value)));
        }
        paths
    }

    fn path(&mut self, node: &Node) -> Option<Made> {
        self.json_path(node).map(Made::Path)
    }

    pub(super) fn json_path(&mut self, node: &Node) -> Option<JsonPath> {
        let text = self.text(node, "a path")?;
        match JsonPath::parse(text) {
            Ok(path) => Some(path),
            Err(error) => {
                let span = node.place_of(error.span, self.source.text);
                let message = format!("`{text}` is no path: {}", error.message);
                self.fault_as(Code::InvalidPath, span, (message, "not a path", error.mend));
                None
            }
        }
    }

    fn constant(&mut self, node: &Node) -> Option<Made> {
        let faults_before = self.faults.len();
        let json = yaml::to_json(node, &mut self.faults);
        if CONSTANT_BYTES_MAX < json.text.len() {
            let message = format!("a constant has at most {CONSTANT_BYTES_MAX} bytes of JSON");
            let label = format!("these are {}", json.text.len());
            self.fault(node.span.clone(), (message, label, "shorten it, or let a plugin make it"));
        }
        (faults_before == self.faults.len()).then_some(Made::Constant(json.text))
    }
}
