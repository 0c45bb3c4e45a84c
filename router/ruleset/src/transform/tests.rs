use std::sync::Arc;

use expect_test::{Expect, expect};

use super::*;
use crate::rule::{Log, Retry, TargetKind};
use crate::template::Name;

/// A plugin made of a function.
struct Made<F>(F);

impl<F> PluginStep for Made<F>
where
    F: Fn(&StepInput<'_>) -> Result<Vec<StepOutput>, StepError> + Send + Sync,
{
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        inputs.iter().map(&self.0).collect()
    }
}

fn plugin<F>(name: &str, call: F) -> Step
where
    F: Fn(&StepInput<'_>) -> Result<Vec<StepOutput>, StepError> + Send + Sync + 'static,
{
    Step::Plugin { name: name.to_owned(), step: Arc::new(Made(call)), digest: String::new() }
}

fn output(body: &str, attributes: &[(&str, &str)]) -> StepOutput {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    StepOutput { body: body.to_owned(), attributes: attributes.collect() }
}

fn template(text: &str, paths: &[(&str, &str)]) -> Step {
    let names: Vec<Name<'_>> = paths.iter().map(|(name, _)| Name { name, always: None }).collect();
    let template = Template::parse(text, &names, None).unwrap();
    let paths = paths.iter().map(|(_, path)| JsonPath::parse(path).unwrap()).collect();
    Step::Input(Input(super::Made::Template { template, paths }))
}

fn path(text: &str) -> Step {
    Step::Input(Input(super::Made::Path(JsonPath::parse(text).unwrap())))
}

fn event() -> Event {
    event_of(r#"{"id":"o-1","total":1.10,"items":[1,2]}"#)
}

fn event_of(detail: &str) -> Event {
    let entry = format!(r#"{{"source":"shop","detail-type":"OrderCreated","detail":{detail}}}"#);
    let stamp = crate::inline_test::STAMP;
    Event::from_entry(entry.as_bytes(), &event::Limits::default(), &stamp).unwrap()
}

fn target(steps: Vec<Step>) -> Target {
    Target {
        id: "t".to_owned(),
        kind: TargetKind::Log(Log { file: None }),
        steps,
        step_lines: Vec::new(),
        retry: Retry::default(),
        flow: crate::flow::Flow::default(),
        limits: event::Limits::default(),
    }
}

fn about() -> About<'static> {
    About {
        rule: "r",
        target: "t",
        bus: "shop",
        replay: None,
        ingested: Timestamp::from_millis(0),
        purpose: Purpose::Delivery,
    }
}

fn check(steps: Vec<Step>, expected: Expect) {
    check_on(&event(), steps, expected);
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check_on(event: &Event, steps: Vec<Step>, expected: Expect) {
    let said = match target(steps).transform(event, &about()) {
        Ok(payloads) => {
            let lines = payloads.iter().map(|Payload { body, content_type, attributes }| {
                format!("{content_type} | {body} | {attributes:?}\n")
            });
            lines.collect()
        }
        Err(error) => format!("{error:?}\n"),
    };
    expected.assert_eq(&said);
}

#[test]
fn without_steps_the_event_is_sent_byte_for_byte() {
    let payloads = target(Vec::new()).transform(&event(), &about()).unwrap();
    assert_eq!(payloads.len(), 1);
    assert_eq!(payloads[0].body, event().json());
    assert_eq!(payloads[0].content_type, "application/json");
    assert!(!target(Vec::new()).calls_plugins());
}

#[test]
fn an_input_makes_json_or_text() {
    check(
        vec![template(
            r#"{"order": <id>, "total": <t>}"#,
            &[("id", "$.detail.id"), ("t", "$.detail.total")],
        )],
        expect![[r#"
            application/json | {"order":"o-1","total":1.10} | []
        "#]],
    );
    check(
        vec![template("order <id>", &[("id", "$.detail.id")])],
        expect![[r#"
            text/plain; charset=utf-8 | order o-1 | []
        "#]],
    );
    check(
        vec![path("$.detail"), path("$.items")],
        expect![[r#"
            application/json | [1,2] | []
        "#]],
    );
    check(
        vec![Step::Input(Input(super::Made::Constant(r#"{"a":1.0}"#.to_owned())))],
        expect![[r#"
            application/json | {"a":1.0} | []
        "#]],
    );
}

#[test]
fn an_object_within_the_quotes_of_json_is_a_final_error_that_names_it() {
    let step = || template(r#"{"text": "got <all>"}"#, &[("all", "$.detail")]);
    check(
        vec![plugin("same", |input| Ok(vec![output(input.json, &[])])), step()],
        expect![[r#"
            Final("step 2 (input): `<all>` is an object in this event, and cannot stand within the quotes of a JSON template: write it without quotes, or name one of its values in `paths`")
        "#]],
    );
    check(
        vec![template(r#"{"text": "got <items>"}"#, &[("items", "$.detail.items")])],
        expect![[r#"
            Final("step 1 (input): `<items>` is an array in this event, and cannot stand within the quotes of a JSON template: write it without quotes, or name one of its values in `paths`")
        "#]],
    );
}

#[test]
fn what_was_found_for_one_target_is_the_same_for_the_next_and_for_no_other_event() {
    let finds = Finds::default();
    let all = || {
        [
            vec![path("$.detail.id")],
            vec![template("<id> <gone>", &[("id", "$.detail.id"), ("gone", "$.detail.gone")])],
            // The same paths in what is no event any more, and is longer.
            vec![
                template(r#"{"all": <all>, "detail": {"id": "made"}}"#, &[("all", "$")]),
                path("$.detail.id"),
            ],
            vec![path("$.detail.gone")],
            vec![path("$.detail.items[*]")],
            vec![path("$.detail.id")],
        ]
    };
    for text in [r#"{"id":"o-1","items":[1]}"#, r#"{"id":"o-2","items":[2]}"#, r#"{"gone":3}"#] {
        // Each lies where the one before lay, if that is gone.
        let event = event_of(text);
        for target in all().map(target) {
            let found = target.transform_with(&event, &about(), Some(&finds));
            assert_eq!(found, target.transform(&event, &about()), "{text}");
        }
    }
    // More paths than are kept.
    let members: Vec<String> = (0..100).map(|at| format!(r#""n{at}":{at}"#)).collect();
    let event = event_of(&format!("{{{}}}", members.join(",")));
    for at in (0..100).chain(0..100) {
        let target = target(vec![path(&format!("$.detail.n{at}"))]);
        let found = target.transform_with(&event, &about(), Some(&finds)).unwrap();
        assert_eq!(found[0].body, at.to_string());
    }
}

#[test]
fn a_path_that_finds_nothing_is_a_final_error() {
    check(
        vec![path("$.detail"), path("$.gone")],
        expect![[r#"
            Final("step 2 (input): there is no `$.gone` in this event")
        "#]],
    );
}

#[test]
fn every_output_of_a_step_goes_through_the_next() {
    let split = plugin("split", |_| {
        Ok(vec![output(r#"{"n":1}"#, &[]), output(r#"{"n":2}"#, &[("k", "v")])])
    });
    check(
        vec![split, template(r#"{"got": <n>}"#, &[("n", "$.n")])],
        expect![[r#"
            application/json | {"got":1} | []
            application/json | {"got":2} | [("k", "v")]
        "#]],
    );
}

#[test]
fn a_plugin_can_drop_the_event() {
    check(vec![plugin("none", |_| Ok(Vec::new())), template("x", &[])], expect![""]);
}

#[test]
fn a_plugin_sees_the_envelope_and_what_the_one_before_attached() {
    let rename = plugin("rename", |input| {
        assert_eq!((input.source, input.detail_type), ("shop", "OrderCreated"));
        assert!(input.json.starts_with("{\"version\"") && input.attributes.len() == input.facts);
        Ok(vec![output("{}", &[("source", "other"), ("detail-type", "New")])])
    });
    let show = plugin("show", |input| {
        let StepInput { id, source, detail_type, time, json, attributes, .. } = *input;
        let seen = format!("{id} {source} {detail_type} {time} {json} {attributes:?}");
        Ok(vec![output(&seen, &[("content-type", "text/plain")])])
    });
    check(
        vec![rename, show],
        expect![[r#"
            text/plain | 00000000-0000-0000-0000-000000000000 other New 2026-01-01T00:00:00.000Z {} [("bus", "shop"), ("rule", "r"), ("target", "t"), ("content-type", "application/json"), ("source", "other"), ("detail-type", "New")] | []
        "#]],
    );
}

#[test]
fn the_content_type_is_what_the_plugin_says_and_json_when_it_says_nothing() {
    let say = |body: &'static str, attributes: &'static [(&'static str, &'static str)]| {
        plugin("say", move |_| Ok(vec![output(body, attributes)]))
    };
    check(
        vec![say("a,b", &[("Content-Type", "text/csv"), ("k", "v")])],
        expect![[r#"
            text/csv | a,b | [("k", "v")]
        "#]],
    );
    check(
        vec![say("[1]", &[])],
        expect![[r#"
            application/json | [1] | []
        "#]],
    );
}

#[test]
fn an_input_after_a_text_is_a_final_error_that_names_the_step() {
    let text = plugin("shout", |_| Ok(vec![output("HEY", &[])]));
    check(
        vec![text, template("<id>", &[("id", "$.id")])],
        expect![[r#"
            Final("step 2 (input): needs JSON, and what the step before made is none: not JSON: expected value (line 1, column 1)")
        "#]],
    );
}

#[test]
fn an_error_of_a_plugin_names_the_step_and_keeps_its_kind() {
    let fail = |error: StepError| plugin("crm", move |_| Err(error.clone()));
    check(
        vec![template("{}", &[]), fail(StepError::Retry("later".to_owned()))],
        expect![[r#"
            Retry("step 2 (plugin `crm`): later")
        "#]],
    );
    check(
        vec![fail(StepError::Final("no order".to_owned()))],
        expect![[r#"
            Final("step 1 (plugin `crm`): no order")
        "#]],
    );
    assert!(target(vec![fail(StepError::Final(String::new()))]).calls_plugins());
}

#[test]
fn outputs_that_multiply_end_at_a_limit() {
    let split = || plugin("split", |_| Ok(vec![output("{}", &[]); 200]));
    check(
        vec![split(), split(), split()],
        expect![[r#"
            Final("step 2 (plugin `split`): one event became more than 10000 outputs")
        "#]],
    );
}

#[test]
fn a_path_that_finds_too_many_values_is_a_final_error() {
    let zeros = |count: usize| event_of(&format!("{{\"n\":[{}]}}", vec!["0"; count].join(",")));
    let steps = |last: Step| vec![path("$.detail.n"), last];
    for last in [path("$[*]"), template("<a>", &[("a", "$[*]")])] {
        check_on(
            &zeros(10_001),
            steps(last),
            expect![[r#"
                Final("step 2 (input): `$[*]` finds more than 10000 values")
            "#]],
        );
    }
    assert!(target(steps(path("$[*]"))).transform(&zeros(10_000), &about()).is_ok());
}

#[test]
fn a_path_that_looks_at_too_many_values_is_a_final_error() {
    let items = event_of(&format!("{{\"n\":[{}]}}", vec!["0"; 2_000].join(",")));
    check_on(
        &items,
        vec![path("$.detail.n[?$.detail.n[?@ == 1]]")],
        expect![[r#"
            Final("step 1 (input): `$.detail.n[?$.detail.n[?@ == 1]]` looks at more than 500000 values")
        "#]],
    );
}

#[test]
fn what_a_path_found_within_itself_ends_at_a_limit() {
    let text = "x".repeat(500_000);
    let nested = event_of(&format!("{{\"n\":{}\"{text}\"{}}}", "[".repeat(50), "]".repeat(50)));
    check_on(
        &nested,
        vec![path("$..*")],
        expect![[r#"
            Final("step 1 (input): it makes more than 16 MiB")
        "#]],
    );
    check_on(
        &nested,
        vec![template("<a>", &[("a", "$..*")])],
        expect![[r#"
            Final("step 1 (input): it makes more than 16 MiB")
        "#]],
    );
}

#[test]
fn what_a_step_renders_ends_at_a_limit() {
    let long = event_of(&format!(
        r#"{{"t":"{}","o":["{}"]}}"#,
        "x".repeat(500_000),
        "\\n".repeat(200_000)
    ));
    let text =
        |variable: &str, count: usize| template(&variable.repeat(count), &[("t", "$.detail.t")]);
    let within = format!(r#"{{"t": "{}"}}"#, "<t>".repeat(34));
    let within = template(&within, &[("t", "$.detail.t")]);
    let bare = format!("\"{}\"", "<o>".repeat(42));
    let bare = template(&bare, &[("o", "$.detail.o")]);
    for step in [text("<t>", 34), within, bare] {
        check_on(
            &long,
            vec![step],
            expect![[r#"
                Final("step 1 (input): it makes more than 16 MiB")
            "#]],
        );
    }
    assert!(target(vec![text("<t>", 33)]).transform(&long, &about()).is_ok());
}

#[test]
fn all_that_a_step_makes_of_one_event_ends_at_a_limit() {
    let split = || plugin("split", |_| Ok(vec![output("{}", &[]); 200]));
    let blow = plugin("blow", |_| Ok(vec![output(&"x".repeat(100_000), &[])]));
    check(
        vec![split(), blow],
        expect![[r#"
            Final("step 2 (plugin `blow`): it makes more than 16 MiB")
        "#]],
    );
    let constant = format!("\"{}\"", "x".repeat(100_000));
    check(
        vec![split(), Step::Input(Input(super::Made::Constant(constant)))],
        expect![[r#"
            Final("step 2 (input): it makes more than 16 MiB")
        "#]],
    );
}

/// Says what it was called with, and does not like events of the total 0.
fn telling(calls: &Arc<std::sync::Mutex<Vec<usize>>>) -> Step {
    struct Telling(Arc<std::sync::Mutex<Vec<usize>>>);
    impl PluginStep for Telling {
        fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
            self.0.lock().unwrap().push(inputs.len());
            let one = |input: &StepInput<'_>| match input.json.contains("\"total\":0") {
                true => Err(StepError::Fault("none".to_owned())),
                false => Ok(vec![output(&format!("{}", input.position), &[]), output("{}", &[])]),
            };
            inputs.iter().map(one).collect()
        }
    }
    Step::Plugin {
        name: "telling".to_owned(),
        step: Arc::new(Telling(Arc::clone(calls))),
        digest: String::new(),
    }
}

#[test]
fn a_batch_goes_through_each_step_together_and_each_event_has_its_own_outcome() {
    let calls = Arc::default();
    let target = target(vec![telling(&calls), telling(&calls)]);
    let events = [1, 0, 2].map(|total| event_of(&format!(r#"{{"total":{total}}}"#)));
    let given: Vec<Given<'_>> =
        events.iter().map(|event| Given { event, about: about(), state: None }).collect();
    let outcomes = target.transform_batch(&given);
    let bodies = |at: usize| {
        let payloads = outcomes[at].as_ref().map_err(ToString::to_string)?;
        Ok(payloads.iter().map(|payload| payload.body.as_str()).collect::<Vec<_>>())
    };
    assert_eq!(bodies(0), Ok(vec!["0", "{}", "1", "{}"]));
    assert_eq!(bodies(1), Err("step 1 (plugin `telling`): none".to_owned()));
    assert_eq!(bodies(2), bodies(0));
    assert_eq!(*calls.lock().unwrap(), [3, 4], "all bodies of all events together");
}

#[test]
fn the_first_plugin_sees_whom_it_works_for_and_each_what_was_attached_before() {
    let show = |input: &StepInput<'_>| {
        let seen: Vec<String> =
            input.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(vec![output(
            &format!("{:?}", seen.join(" ")),
            &[("content-type", "text/x"), ("a", "1")],
        )])
    };
    let replayed = About { replay: Some("again"), ..about() };
    let event = event();
    let first = target(vec![plugin("show", show)]).transform(&event, &replayed).unwrap();
    assert_eq!(first[0].body, r#""bus=shop rule=r target=t replay-name=again""#);
    assert_eq!(first[0].attributes, [("a".to_owned(), "1".to_owned())], "and no more goes out");
    let steps = vec![plugin("show", show), plugin("show", show)];
    let second = target(steps).transform(&event, &about()).unwrap();
    assert_eq!(second[0].body, r#""bus=shop rule=r target=t content-type=text/x a=1""#);
}

#[test]
fn a_plugin_does_not_tell_the_next_one_whom_it_works_for() {
    let attributes =
        [("rule", "x"), ("bus", "x"), ("b", "2"), ("target", "x"), ("replay-name", "x")];
    let forge = move |_: &StepInput<'_>| Ok(vec![output("{}", &attributes)]);
    let forged = target(vec![plugin("forge", forge)]).transform(&event(), &about()).unwrap();
    assert_eq!(forged[0].attributes, [("b".to_owned(), "2".to_owned())]);
}
