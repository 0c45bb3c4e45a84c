//! CloudFormation's functions, worked out as far as a template and its parameters say.
//!
//! What cannot be known (a resource's generated name, an export of another stack) stands in the text as
//! `${what is missing}`, and the text is marked as unresolved, so that nobody takes it for a value.
//!
//! # Invariants
//!
//! - The work and the size of what comes of it are bounded, however functions stand within functions.
//! - A secret parameter (`NoEcho`) has no value here unless somebody gives it by name.
//!
//! # Not here
//!
//! - What a resource is: `template` knows; only buses have names that can be known.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::yaml::{Filling, Member, Node, Span, Value};

/// Steps and bytes that one template may cost.
const WORK_MAX: usize = 16 << 20;
/// How deep conditions may lean on conditions.
const CONDITIONS_DEEP_MAX: usize = 32;

pub(super) struct Functions<'t> {
    template: &'t Node,
    /// Parameters, pseudo parameters, exports and attributes of resources, as somebody gave them.
    given: &'t BTreeMap<String, String>,
    work_left: Cell<usize>,
    /// Conditions that are being judged.
    conditions_deep: Cell<usize>,
    /// Whether the name of a bus is being worked out: it cannot lean on another's.
    is_naming: Cell<bool>,
}

/// Why something has no value: what would have to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing(pub String);

impl<'t> Functions<'t> {
    pub(super) fn new(template: &'t Node, given: &'t BTreeMap<String, String>) -> Self {
        Self {
            template,
            given,
            work_left: Cell::new(WORK_MAX),
            conditions_deep: Cell::new(0),
            is_naming: Cell::new(false),
        }
    }

    /// The value of a node; none for `AWS::NoValue`.
    pub(super) fn resolve(&self, node: &Node) -> Option<Node> {
        if !self.spend(1) {
            return Some(unresolved(&node.span, "Fn::Sub of this size"));
        }
        let value = match &node.value {
            Value::Map(members) => match members.as_slice() {
                [one] if is_function(&one.key) => {
                    return self.call(&one.key, &one.value, &node.span);
                }
                members => Value::Map(members.iter().filter_map(|it| self.member(it)).collect()),
            },
            Value::List(items) => {
                Value::List(items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            Value::Text(text) => return Some(self.dynamic(node, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => node.value.clone(),
        };
        Some(Node { span: node.span.clone(), value, filling: node.filling })
    }

    /// Whether a condition holds; `Err` says what is missing to know.
    pub(super) fn holds(&self, name: &str) -> Result<bool, Missing> {
        let body = self.section("Conditions").and_then(|all| all.member(name));
        let deep = self.conditions_deep.get();
        let (Some(body), true) = (body, deep < CONDITIONS_DEEP_MAX) else {
            return Err(Missing(format!("the condition {name}")));
        };
        self.conditions_deep.set(deep + 1);
        let holds = self.judge(&body.value);
        self.conditions_deep.set(deep);
        holds
    }

    fn member(&self, member: &Member) -> Option<Member> {
        Some(Member { value: self.resolve(&member.value)?, ..member.clone() })
    }

    /// A text of a template may refer to a secret or a parameter of Systems Manager.
    fn dynamic(&self, node: &Node, text: &str) -> Node {
        let Some((_, rest)) = text.split_once("{{resolve:") else { return node.clone() };
        let what = rest.split("}}").next().unwrap_or_default();
        unresolved(&node.span, &format!("resolve:{what}"))
    }

    fn call(&self, function: &str, argument: &Node, span: &Span) -> Option<Node> {
        let found = match function {
            "Ref" => {
                let name = plain(argument).unwrap_or_default();
                if name == "AWS::NoValue" {
                    return None;
                }
                self.reference(name, span)
            }
            "Fn::If" => return self.choose(argument, span),
            "Fn::GetAtt" => self.attribute(argument, span),
            "Fn::Sub" => self.substitute(argument, span),
            "Fn::Join" => self.join(argument, span),
            "Fn::Split" => self.split(argument, span),
            "Fn::Select" => self.select(argument, span),
            "Fn::FindInMap" => self.find_in_map(argument, span),
            "Fn::ImportValue" => self.import(argument, span),
            other => unresolved(span, other),
        };
        Some(found)
    }

    fn reference(&self, name: &str, span: &Span) -> Node {
        if let Some(value) = self.given.get(name) {
            return self.parameter(name, value.clone(), span);
        }
        if let Some(default) = self.default_of(name) {
            return self.parameter(name, default, span);
        }
        match name {
            "AWS::Partition" => text(span, "aws"),
            "AWS::URLSuffix" => text(span, "amazonaws.com"),
            _ => match self.bus_name(name) {
                Some(bus) => Node { span: span.clone(), ..bus },
                None => unresolved(span, name),
            },
        }
    }

    /// The default of a parameter, when it is its value.
    fn default_of(&self, name: &str) -> Option<String> {
        let parameter = &self.section("Parameters")?.member(name)?.value;
        let is_secret = parameter.member("NoEcho").is_some_and(|it| {
            matches!(&it.value.value, Value::Bool(true))
                || plain(&it.value).is_some_and(|text| text.eq_ignore_ascii_case("true"))
        });
        let kind = parameter.member("Type").and_then(|it| plain(&it.value)).unwrap_or("String");
        if is_secret || kind.starts_with("AWS::SSM::") {
            return None;
        }
        match &parameter.member("Default")?.value.value {
            Value::Text(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(is) => Some(is.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    fn parameter(&self, name: &str, value: String, span: &Span) -> Node {
        let kind = self.section("Parameters").and_then(|all| all.member(name));
        let kind = kind.and_then(|it| it.value.member("Type")).and_then(|it| plain(&it.value));
        let is_list = kind.is_some_and(|kind| kind.contains("List"));
        if !is_list {
            return text(span, &value);
        }
        let items = value.split(',').map(|item| text(span, item.trim()));
        Node::new(span.clone(), Value::List(items.collect()))
    }

    /// The name of a bus of this template.
    pub(super) fn bus_name(&self, logical: &str) -> Option<Node> {
        let resource = &self.section("Resources")?.member(logical)?.value;
        let kind = resource.member("Type").and_then(|it| plain(&it.value))?;
        if kind != "AWS::Events::EventBus" {
            return None;
        }
        let name = resource.member("Properties").and_then(|it| it.value.member("Name"))?;
        if self.is_naming.replace(true) {
            return None;
        }
        let name = self.resolve(&name.value);
        self.is_naming.set(false);
        name
    }

    fn attribute(&self, argument: &Node, span: &Span) -> Node {
        let name = match &argument.value {
            Value::Text(text) => text.clone(),
            Value::List(parts) => {
                let parts: Vec<&str> = parts.iter().filter_map(plain).collect();
                parts.join(".")
            }
            _ => String::new(),
        };
        self.attribute_named(&name, span)
    }

    fn attribute_named(&self, name: &str, span: &Span) -> Node {
        if let Some(value) = self.given.get(name) {
            return text(span, value);
        }
        let (logical, attribute) = name.split_once('.').unwrap_or((name, ""));
        let Some(bus) = self.bus_name(logical) else { return unresolved(span, name) };
        let bus = Node { span: span.clone(), ..bus };
        match attribute {
            "Name" => bus,
            "Arn" => {
                let parts = ["arn:", ":events:", ":", ":event-bus/"];
                let names = ["AWS::Partition", "AWS::Region", "AWS::AccountId"];
                let mut pieces = Vec::new();
                for (part, name) in parts.iter().zip(names) {
                    pieces.extend([text(span, part), self.reference(name, span)]);
                }
                pieces.extend([text(span, parts[3]), bus]);
                self.concatenate(&pieces, "", span)
            }
            _ => unresolved(span, name),
        }
    }

    fn substitute(&self, argument: &Node, span: &Span) -> Node {
        let (template, own) = match &argument.value {
            Value::Text(text) => (text.as_str(), None),
            Value::List(parts) => match parts.as_slice() {
                [Node { value: Value::Text(text), .. }] => (text.as_str(), None),
                [Node { value: Value::Text(text), .. }, own] => (text.as_str(), Some(own)),
                _ => return unresolved(span, "Fn::Sub"),
            },
            _ => return unresolved(span, "Fn::Sub"),
        };
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            pieces.push(text(span, before));
            let Some((name, after)) = after.split_once('}') else {
                pieces.push(text(span, "${"));
                rest = after;
                continue;
            };
            rest = after;
            let name = name.trim();
            if let Some(literal) = name.strip_prefix('!') {
                pieces.push(text(span, &format!("${{{literal}}}")));
                continue;
            }
            let own = own.and_then(|own| own.member(name));
            pieces.push(match own {
                Some(member) => match self.resolve(&member.value) {
                    Some(value) => value,
                    None => text(span, ""),
                },
                None if name.contains('.') => self.attribute_named(name, span),
                None => self.reference(name, span),
            });
        }
        pieces.push(text(span, rest));
        let whole = self.concatenate(&pieces, "", span);
        match &whole.value {
            Value::Text(text) if whole.filling == Filling::None => self.dynamic(&whole, text),
            _ => whole,
        }
    }

    fn concatenate(&self, pieces: &[Node], between: &str, span: &Span) -> Node {
        let mut out = String::new();
        let mut filling = Filling::None;
        for (at, piece) in pieces.iter().enumerate() {
            if at != 0 {
                out.push_str(between);
            }
            let Some(text) = scalar_text(piece) else {
                return unresolved(span, "a list in a text");
            };
            if !self.spend(text.len() + between.len()) {
                return unresolved(span, "Fn::Sub of this size");
            }
            out.push_str(&text);
            if piece.filling == Filling::Failed {
                filling = Filling::Failed;
            }
        }
        Node { filling, ..text(span, &out) }
    }

    fn join(&self, argument: &Node, span: &Span) -> Node {
        let Some([between, items]) = self.arguments::<2>(argument) else {
            return unresolved(span, "Fn::Join");
        };
        match (&between.value, &items.value) {
            (Value::Text(between), Value::List(items)) => self.concatenate(items, between, span),
            _ if items.filling == Filling::Failed => items,
            _ => unresolved(span, "Fn::Join"),
        }
    }

    fn split(&self, argument: &Node, span: &Span) -> Node {
        let Some([between, whole]) = self.arguments::<2>(argument) else {
            return unresolved(span, "Fn::Split");
        };
        match (&between.value, &whole.value) {
            (Value::Text(between), Value::Text(whole_text))
                if whole.filling == Filling::None && !between.is_empty() =>
            {
                let items = whole_text.split(between.as_str()).map(|item| text(span, item));
                Node::new(span.clone(), Value::List(items.collect()))
            }
            _ if whole.filling == Filling::Failed => whole,
            _ => unresolved(span, "Fn::Split"),
        }
    }

    fn select(&self, argument: &Node, span: &Span) -> Node {
        let Some([index, items]) = self.arguments::<2>(argument) else {
            return unresolved(span, "Fn::Select");
        };
        let at = scalar_text(&index).and_then(|text| text.parse::<usize>().ok());
        match (at, &items.value) {
            (Some(at), Value::List(list)) => match list.get(at) {
                Some(item) => Node { span: span.clone(), ..item.clone() },
                None => unresolved(span, "Fn::Select"),
            },
            _ if items.filling == Filling::Failed => items,
            _ => unresolved(span, "Fn::Select"),
        }
    }

    fn find_in_map(&self, argument: &Node, span: &Span) -> Node {
        let Some([map, first, second]) = self.arguments::<3>(argument) else {
            return unresolved(span, "Fn::FindInMap");
        };
        for key in [&map, &first, &second] {
            if key.filling == Filling::Failed {
                return Node { span: span.clone(), ..key.clone() };
            }
        }
        let found = self.section("Mappings").and_then(|all| {
            let map = all.member(plain(&map)?)?;
            let first = map.value.member(&scalar_text(&first)?)?;
            Some(first.value.member(&scalar_text(&second)?)?.value.clone())
        });
        found.unwrap_or_else(|| unresolved(span, "Fn::FindInMap"))
    }

    fn import(&self, argument: &Node, span: &Span) -> Node {
        let name = self.resolve(argument);
        let Some(name) = name.as_ref().and_then(plain) else {
            return unresolved(span, "Fn::ImportValue");
        };
        match self.given.get(name) {
            Some(value) => text(span, value),
            None => unresolved(span, name),
        }
    }

    fn choose(&self, argument: &Node, span: &Span) -> Option<Node> {
        let Value::List(parts) = &argument.value else { return Some(unresolved(span, "Fn::If")) };
        let [condition, yes, no] = parts.as_slice() else {
            return Some(unresolved(span, "Fn::If"));
        };
        match self.holds(plain(condition).unwrap_or_default()) {
            Ok(true) => self.resolve(yes),
            Ok(false) => self.resolve(no),
            Err(Missing(what)) => Some(unresolved(span, &what)),
        }
    }

    fn judge(&self, node: &Node) -> Result<bool, Missing> {
        let lost = || Missing("a condition like this".to_owned());
        if !self.spend(1) {
            return Err(lost());
        }
        let Value::Map(members) = &node.value else { return Err(lost()) };
        let [Member { key, value, .. }] = members.as_slice() else { return Err(lost()) };
        let parts = match &value.value {
            Value::List(parts) => parts.as_slice(),
            _ => &[],
        };
        match (key.as_str(), parts) {
            ("Condition", _) => self.holds(plain(value).unwrap_or_default()),
            ("Fn::Not", [one]) => Ok(!self.judge(one)?),
            ("Fn::And", parts) => self.any(parts, false).map(|is_one_false| !is_one_false),
            ("Fn::Or", parts) => self.any(parts, true),
            ("Fn::Equals", [a, b]) => {
                let (a, b) = (self.resolve(a), self.resolve(b));
                for side in [&a, &b].into_iter().flatten() {
                    if let Some(missing) = first_missing(side) {
                        return Err(missing);
                    }
                }
                Ok(a.as_ref().and_then(scalar_text) == b.as_ref().and_then(scalar_text))
            }
            _ => Err(lost()),
        }
    }

    /// Whether one of `parts` is `wanted`. One that is decides, whatever cannot be known of the others.
    fn any(&self, parts: &[Node], wanted: bool) -> Result<bool, Missing> {
        let mut missing = None;
        for part in parts {
            match self.judge(part) {
                Ok(is) if is == wanted => return Ok(true),
                Ok(_) => (),
                Err(what) => missing = Some(what),
            }
        }
        missing.map_or(Ok(false), Err)
    }

    /// The arguments of a function, resolved.
    fn arguments<const N: usize>(&self, argument: &Node) -> Option<[Node; N]> {
        let Value::List(parts) = &argument.value else { return None };
        let parts: Vec<Node> = parts.iter().filter_map(|part| self.resolve(part)).collect();
        parts.try_into().ok()
    }

    fn section(&self, name: &str) -> Option<&'t Node> {
        self.template.member(name).map(|member| &member.value)
    }

    fn spend(&self, work: usize) -> bool {
        match self.work_left.get().checked_sub(work) {
            Some(left) => {
                self.work_left.set(left);
                true
            }
            None => false,
        }
    }
}

/// What is missing in a value, the first of it.
pub(super) fn first_missing(node: &Node) -> Option<Missing> {
    match &node.value {
        Value::Text(text) if node.filling == Filling::Failed => {
            let name = text.split_once("${").and_then(|(_, rest)| rest.split_once('}'));
            Some(Missing(name.map_or(text.as_str(), |(name, _)| name).to_owned()))
        }
        Value::List(items) => items.iter().find_map(first_missing),
        Value::Map(members) => members.iter().find_map(|member| first_missing(&member.value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
    }
}

/// Whether `key` alone in a map is a call.
pub(super) fn is_function(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

fn unresolved(span: &Span, what: &str) -> Node {
    Node { filling: Filling::Failed, ..text(span, &format!("${{{what}}}")) }
}

fn text(span: &Span, text: &str) -> Node {
    Node::new(span.clone(), Value::Text(text.to_owned()))
}

fn plain(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) if node.filling == Filling::None => Some(text),
        _ => None,
    }
}

fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::yaml::{read_template, write};

    const TEMPLATE: &str = "\
Parameters:
  Stage: { Type: String, Default: dev }
  Team: { Type: String }
  Key: { Type: String, NoEcho: true, Default: hunter2 }
  Sources: { Type: CommaDelimitedList, Default: 'com.a, com.b' }
  Image: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /images/latest }
Mappings:
  ByStage: { dev: { Bus: shop-dev, Size: 5 }, prod: { Bus: shop } }
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  OfTeam: !And [!Condition IsDev, !Equals [!Ref Team, orders]]
  Circle: !Not [!Condition Circle]
Resources:
  Bus: { Type: AWS::Events::EventBus, Properties: { Name: !Sub 'shop-${Stage}' } }
  Queue: { Type: AWS::SQS::Queue }
  Self: { Type: AWS::Events::EventBus, Properties: { Name: !Ref Self } }
Asked:
";

    /// What becomes of `asked`, with what is given.
    #[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
    fn check(asked: &str, given: &[(&str, &str)], expected: Expect) {
        let text = format!("{TEMPLATE}  it: {asked}\n");
        let (documents, faults) = read_template(&text);
        assert_eq!(faults, []);
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let functions = Functions::new(&documents[0], &given);
        let asked = &documents[0].member("Asked").unwrap().value;
        let found = functions.resolve(asked).unwrap();
        let missing = first_missing(&found).map(|it| format!("missing: {}\n", it.0));
        expected.assert_eq(&(write(&found) + &missing.unwrap_or_default()));
    }

    #[test]
    fn references_have_given_values_then_defaults() {
        check(
            "!Ref Stage",
            &[],
            expect![[r"
            it: dev
        "]],
        );
        check(
            "!Ref Stage",
            &[("Stage", "prod")],
            expect![[r"
            it: prod
        "]],
        );
        check(
            "{ Ref: Team }",
            &[],
            expect![[r#"
            it: "${Team}"
            missing: Team
        "#]],
        );
        check(
            "!Ref Sources",
            &[],
            expect![[r"
            it: [com.a, com.b]
        "]],
        );
        check(
            "[!Ref AWS::Partition, !Ref AWS::NoValue, !Ref AWS::Region]",
            &[],
            expect![[r#"
            it: [aws, "${AWS::Region}"]
            missing: AWS::Region
        "#]],
        );
    }

    #[test]
    fn secrets_and_what_lies_elsewhere_have_no_value() {
        check(
            "!Ref Key",
            &[],
            expect![[r#"
            it: "${Key}"
            missing: Key
        "#]],
        );
        check(
            "!Ref Image",
            &[],
            expect![[r#"
            it: "${Image}"
            missing: Image
        "#]],
        );
        check(
            "'{{resolve:secretsmanager:crm:SecretString:token}}'",
            &[],
            expect![[r#"
            it: "${resolve:secretsmanager:crm:SecretString:token}"
            missing: resolve:secretsmanager:crm:SecretString:token
        "#]],
        );
    }

    #[test]
    fn texts_are_put_together() {
        check(
            "!Sub '${Stage}-${Bus}-${!Stage}'",
            &[],
            expect![[r#"
            it: "dev-shop-dev-${Stage}"
        "#]],
        );
        check(
            "!Sub ['${A}/${Queue.Arn}', { A: !Join ['-', [a, !Ref Stage]] }]",
            &[],
            expect![[r#"
            it: "a-dev/${Queue.Arn}"
            missing: Queue.Arn
        "#]],
        );
        check(
            "!Sub '${Queue.Arn}'",
            &[("Queue.Arn", "arn:aws:sqs:eu-west-1:1:q")],
            expect![[r"
            it: arn:aws:sqs:eu-west-1:1:q
        "]],
        );
        check(
            "!GetAtt Bus.Arn",
            &[("AWS::Region", "eu-west-1"), ("AWS::AccountId", "111122223333")],
            expect![[r"
            it: arn:aws:events:eu-west-1:111122223333:event-bus/shop-dev
        "]],
        );
        check(
            "!Select [1, !Split ['/', a/b/c]]",
            &[],
            expect![[r"
            it: b
        "]],
        );
        check(
            "!FindInMap [ByStage, !Ref Stage, Bus]",
            &[],
            expect![[r"
            it: shop-dev
        "]],
        );
        check(
            "{ 'Fn::ImportValue': !Sub '${Stage}-bus' }",
            &[],
            expect![[r#"
            it: "${dev-bus}"
            missing: dev-bus
        "#]],
        );
    }

    #[test]
    fn conditions_choose_and_say_what_they_lean_on() {
        check(
            "!If [IsProd, a, b]",
            &[],
            expect![[r"
            it: b
        "]],
        );
        check(
            "!If [IsDev, [a], !Ref AWS::NoValue]",
            &[("Stage", "prod")],
            expect![[r"
            {}
        "]],
        );
        check(
            "!If [OfTeam, a, b]",
            &[],
            expect![[r#"
            it: "${Team}"
            missing: Team
        "#]],
        );
        check(
            "!If [OfTeam, a, b]",
            &[("Team", "orders")],
            expect![[r"
            it: a
        "]],
        );
        check(
            "!If [OfTeam, a, b]",
            &[("Stage", "prod")],
            expect![[r"
            it: b
        "]],
        );
        check(
            "!If [Circle, a, b]",
            &[],
            expect![[r#"
            it: "${the condition Circle}"
            missing: the condition Circle
        "#]],
        );
        check(
            "!GetAZs ''",
            &[],
            expect![[r#"
            it: "${Fn::GetAZs}"
            missing: Fn::GetAZs
        "#]],
        );
    }

    #[test]
    fn functions_that_multiply_end() {
        check(
            "!Ref Self",
            &[],
            expect![[r#"
            it: "${Self}"
            missing: Self
        "#]],
        );
        let mut nested = "x".to_owned();
        for _ in 0..40 {
            nested = format!("!Sub ['${{A}}${{A}}${{A}}${{A}}', {{ A: {nested} }}]");
        }
        let text = format!("Asked: {nested}");
        let (documents, _) = read_template(&text);
        let given = BTreeMap::new();
        let found = Functions::new(&documents[0], &given).resolve(&documents[0]).unwrap();
        assert!(first_missing(&found).is_some());
    }
}
