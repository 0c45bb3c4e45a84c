//! CloudEvents and PutEvents on their way in and out again.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use slipswitch_event::cloudevents::{self, binary};
use slipswitch_event::{Event, Limits, Stamp, Timestamp, eventbridge};

fn taken(entry: &str) -> Result<Event, String> {
    let stamp =
        Stamp { id: "0191", time: Timestamp::from_millis(0), account: "0", region: "local" };
    Event::from_entry(entry.as_bytes(), &Limits::default(), &stamp).map_err(|e| e.to_string())
}

/// The entry of a CloudEvent, which must be one that is taken.
fn entry(json: &str) -> Result<String, String> {
    let entry = cloudevents::entry_of(json.as_bytes(), &Limits::default());
    let entry = entry.map_err(|error| error.to_string())?;
    taken(&entry).map(|_event| entry)
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(json: &str, expected: Expect) {
    expected.assert_eq(&entry(json).unwrap_or_else(|error| error));
}

#[test]
fn attributes_keep_their_bytes_and_data_is_the_detail() {
    check(
        r#"{"specversion":"1.0","type":"com.example.made","source":"/shop/đ","id":"a\u0062","time":"2026-11-23T08:30:00+07:00","subject":"o-1","tenant":"t\u00e9","priority":7,"urgent":true,"unset":null,"datacontenttype":"application/json","data":{ "z":1.10, "a":1e400 }}"#,
        expect![[
            r#"{"detail-type":"com.example.made","source":"/shop/đ","id":"a\u0062","time":"2026-11-23T08:30:00+07:00","cloudevents":{"specversion":"1.0","subject":"o-1","tenant":"t\u00e9","priority":7,"urgent":true,"datacontenttype":"application/json"},"detail":{ "z":1.10, "a":1e400 }}"#
        ]],
    );
}

#[test]
fn data_that_is_no_object_stands_beside_the_attributes() {
    let of = |data: &str| {
        entry(&format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t"{data}}}"#))
    };
    for (data, kept) in [
        ("", r#""no-data":true"#),
        (r#","data":null"#, r#""data":null"#),
        (r#","data":[1.0, 2]"#, r#""data":[1.0, 2]"#),
        (r#","data":"text""#, r#""data":"text""#),
        (r#","data_base64":"AAEC""#, r#""data_base64":"AAEC""#),
    ] {
        let entry = of(data).unwrap();
        let end = format!(r#""cloudevents":{{"specversion":"1.0",{kept}}},"detail":{{}}}}"#);
        assert!(entry.ends_with(&end), "{entry}");
    }
}

#[test]
fn every_fault_names_the_attribute() {
    let with = |more: &str| {
        entry(&format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t",{more}}}"#))
            .unwrap_err()
    };
    expect![[r#"
        `Tenant` is no name of an attribute: it is made of a to z and 0 to 9; put what is yours into `data`
        `a-b` is no name of an attribute: it is made of a to z and 0 to 9; put what is yours into `data`
        `tenant` must be a string, a number or a boolean, and is an object
        `subject` must be a string, and is a number
        `subject` must not be empty
        `id` is given twice
        `time`: `soon` is not an RFC 3339 time such as 2026-11-23T08:30:00Z
        `data` and `data_base64` are both given; an event has one of them
        `data_base64` is not base64
        `data_base64` is not base64
        `slipswitchresources` holds no JSON: EOF while parsing a list at line 1 column 1; write an array of strings as text
        `resources` must be an array of strings, and is an object"#]]
    .assert_eq(
        &[
            r#""Tenant":1"#,
            r#""a-b":1"#,
            r#""tenant":{}"#,
            r#""subject":1"#,
            r#""subject":"""#,
            r#""id":"2""#,
            r#""time":"soon""#,
            r#""data":1,"data_base64":"AA==""#,
            r#""data_base64":"A""#,
            r#""data_base64":7"#,
            r#""slipswitchresources":"[""#,
            r#""slipswitchresources":"{}""#,
        ]
        .map(with)
        .join("\n"),
    );
    check(
        "[]",
        expect![
            "a CloudEvent is a JSON object with `specversion`, `id`, `source` and `type`, and this is an array"
        ],
    );
    check(
        r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#,
        expect![[r#"`specversion` is "0.3", and only "1.0" is known"#]],
    );
    check(
        "{}",
        expect![
            "`specversion` is missing; a CloudEvent needs `specversion`, `id`, `source` and `type`"
        ],
    );
    check("", expect!["not JSON: EOF while parsing a value (line 1, column 0)"]);
}

#[test]
fn in_binary_mode_the_media_type_says_what_the_data_is() {
    let of = |media: Option<&str>, data: &[u8]| {
        let attributes: [(&str, &[u8]); 4] =
            [("specversion", b"1.0"), ("id", b"1"), ("source", b"\"s\""), ("type", b"t%20%C3%A9")];
        let entry = binary::entry_of(attributes, media, data, &Limits::default());
        entry.map_err(|error| error.to_string()).unwrap_or_else(|error| error)
    };
    expect![[r#"
        {"id":"1","source":"s","detail-type":"t é","cloudevents":{"datacontenttype":"application/json; charset=utf-8","specversion":"1.0"},"detail":{"n":1.10 }}
        {"id":"1","source":"s","detail-type":"t é","cloudevents":{"datacontenttype":"application/vnd.x+json","specversion":"1.0","data":[1]},"detail":{}}
        {"id":"1","source":"s","detail-type":"t é","cloudevents":{"specversion":"1.0"},"detail":{}}
        {"id":"1","source":"s","detail-type":"t é","cloudevents":{"datacontenttype":"text/plain","specversion":"1.0","data":"{\"a\""},"detail":{}}
        {"id":"1","source":"s","detail-type":"t é","cloudevents":{"datacontenttype":"image/png","specversion":"1.0","data_base64":"/wA="},"detail":{}}
        {"id":"1","source":"s","detail-type":"t é","cloudevents":{"datacontenttype":"image/png","specversion":"1.0","no-data":true},"detail":{}}
        the data is said to be application/json and is not JSON: EOF while parsing an object (line 1, column 4); name its type in `content-type`"#]]
    .assert_eq(
        &[
            of(Some("application/json; charset=utf-8"), b" {\"n\":1.10 }\n"),
            of(Some("application/vnd.x+json"), b"[1]"),
            of(None, b"{}"),
            of(Some("text/plain"), b"{\"a\""),
            of(Some("image/png"), b"\xff\0"),
            of(Some("image/png"), b""),
            of(Some("application/json"), b"{\"a\""),
        ]
        .join("\n"),
    );
}

#[test]
fn an_entry_of_put_events_is_an_entry() {
    let of = |json: &str| match eventbridge::entry_of(json) {
        Ok(put) => format!("{} {}", put.bus.unwrap_or_default(), put.entry),
        Err(fault) => format!("{}: {fault}", fault.code()),
    };
    expect![[r#"
        shop {"source":"s","detail-type":"t","time":"2026-01-01T00:00:00.500Z","resources":["r"],"detail":{"n":1.10, "é":1}}
         {"time":"2026-01-01T00:00:00+07:00","source":"s","detail-type":"t","detail":{}}
        InvalidArgument: Parameter Source is not valid. Reason: Source is a required argument.
        InvalidArgument: Parameter DetailType is not valid. Reason: DetailType is a required argument.
        InvalidArgument: Parameter Detail is not valid. Reason: Detail is a required argument.
        MalformedDetail: Detail is malformed.
        MalformedDetail: Detail is malformed.
        MalformedDetail: Detail is malformed.
        InvalidArgument: Parameter Detai1 is not valid. Reason: it is no member of an entry.
        InvalidArgument: Parameter Time is not valid. Reason: it is seconds since 1970 as a number, or an RFC 3339 text.
        InvalidArgument: Parameter EventBusName is not valid. Reason: it is a bus's name, or an ARN that ends in :event-bus/NAME.
        InvalidArgument: Parameter Entry is not valid. Reason: it must be an object, and is an array."#]]
    .assert_eq(
        &[
            r#"{"Source":"s","DetailType":"t","Detail":" {\"n\":1.10, \"\u00e9\":1}\n","Time":1767225600.5,"Resources":["r"],"TraceHeader":"x","EventBusName":"arn:aws:events:eu-west-1:123456789012:event-bus/shop"}"#,
            r#"{"Time":"2026-01-01T00:00:00+07:00","EventBusName":null,"Source":"s","DetailType":"t","Detail":"{}"}"#,
            r#"{"Source":"","DetailType":"t","Detail":"{}"}"#,
            r#"{"Source":"s","Detail":"{}"}"#,
            r#"{"Source":"s","DetailType":"t","Detail":""}"#,
            r#"{"Source":"s","DetailType":"t","Detail":"[]"}"#,
            r#"{"Source":"s","DetailType":"t","Detail":"{\"a\":}"}"#,
            r#"{"Source":"s","DetailType":"t","Detail":"{},\"id\":\"x\""}"#,
            r#"{"Source":"s","DetailType":"t","Detai1":"{}"}"#,
            r#"{"Source":"s","DetailType":"t","Detail":"{}","Time":1e300}"#,
            r#"{"Source":"s","DetailType":"t","Detail":"{}","EventBusName":"arn:aws:sqs:x"}"#,
            "[]",
        ]
        .map(of)
        .join("\n"),
    );
}

#[test]
fn a_request_has_one_to_ten_entries() {
    let of = |body: &str| match eventbridge::entries(body.as_bytes(), &Limits::default()) {
        Ok(entries) => format!("{}", entries.len()),
        Err(error) => error.to_string(),
    };
    let many = |count: usize| format!(r#"{{"Entries":[{}]}}"#, vec!["1"; count].join(","));
    assert_eq!((of(&many(1)).as_str(), of(&many(10)).as_str()), ("1", "10"));
    assert!(of(&many(11)).ends_with("Member must have length less than or equal to 10"));
    assert!(of(&many(0)).ends_with("Member must have length greater than or equal to 1"));
    assert!(of("{}").ends_with("Member must not be null"));
    assert_eq!(of("[]"), "the body must be an object with `Entries`, and is an array");
    assert!(of(r#"{"Entries":[1"#).starts_with("not JSON"));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// CloudEvent → entry → event → entry → CloudEvent.
    #[test]
    fn a_cloud_event_comes_back_whole(
        texts in prop::collection::vec(".+", 3),
        more in prop::collection::btree_map("x[a-z0-9]{0,8}", prop_oneof![
            ".*".prop_map(serde_json::Value::from),
            any::<i32>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
        ], 0..4),
        data in prop::option::of(any_json()),
        account in prop::option::of("[0-9]{1,12}"),
    ) {
        let mut event = serde_json::json!({"specversion": "1.0", "source": texts[0], "type": texts[1], "id": "i"});
        let fields = event.as_object_mut().unwrap();
        fields.insert("time".to_owned(), "2026-11-23T08:30:00Z".into());
        fields.insert("subject".to_owned(), texts[2].clone().into());
        fields.extend(more);
        fields.extend(data.map(|data| ("data".to_owned(), data)));
        fields.extend(account.map(|account| ("slipswitchaccount".to_owned(), account.into())));
        let entry = entry(&event.to_string()).unwrap();
        let back = cloudevents::event_of(&entry, "unused").unwrap();
        let back: serde_json::Value = serde_json::from_str(&back).unwrap();
        prop_assert_eq!(&back, &event);
        let stored = taken(&entry).unwrap();
        let again = Event::read(stored.bytes().clone()).unwrap();
        prop_assert_eq!(again.cloudevents(), stored.cloudevents());
        let replayed = again.replayed("r");
        prop_assert_eq!(replayed.cloudevents(), stored.cloudevents());
        prop_assert_eq!(replayed.detail(), stored.detail());
    }

    #[test]
    fn an_entry_comes_back_from_put_events(
        source in ".+",
        detail in prop::collection::btree_map(".*", any_json(), 0..4),
        millis in -62_135_596_800_000_i64..=253_402_300_799_999,
    ) {
        let detail = serde_json::to_string(&detail).unwrap();
        let source = serde_json::Value::from(source).to_string();
        let time = Timestamp::from_millis(millis);
        let entry = format!(r#"{{"source":{source},"detail-type":"t","time":"{time}","detail":{detail}}}"#);
        let (put, lost) = eventbridge::put_of(&entry, "shop").unwrap();
        prop_assert!(lost.is_empty());
        let back = eventbridge::entry_of(&put).unwrap();
        prop_assert_eq!(back.bus.as_deref(), Some("shop"));
        let (back, first) = (taken(&back.entry).unwrap(), taken(&entry).unwrap());
        prop_assert_eq!(back.json(), first.json());
    }

    #[test]
    fn hostile_bytes_are_an_answer(
        bytes in prop::collection::vec(prop_oneof![
            prop::sample::select(b"{}[]\":,\\u00e9truenl%=".to_vec()), any::<u8>(),
        ], 0..120),
        media in prop::option::of("application/json|text/.*|.*"),
    ) {
        let limits = Limits::default();
        if let Ok(text) = std::str::from_utf8(&bytes) {
            eventbridge::entry_of(text).ok();
            cloudevents::event_of(text, "i").ok();
            eventbridge::put_of(text, "b").ok();
        }
        cloudevents::entry_of(&bytes, &limits).ok();
        eventbridge::entries(&bytes, &limits).ok();
        let attributes =
            [("specversion", &b"1.0"[..]), ("id", b"1"), ("source", &bytes), ("type", b"t")];
        if let Ok(entry) = binary::entry_of(attributes, media.as_deref(), &bytes, &limits) {
            taken(&entry).ok();
        }
    }

    /// What is let through is one entry, whatever stands in its values.
    #[test]
    fn nothing_is_smuggled_past_the_envelope(value in ".*", detail in ".*") {
        let put = serde_json::json!({"Source": value, "DetailType": "t", "Detail": detail});
        if let Ok(put) = eventbridge::entry_of(&put.to_string()) {
            prop_assert!(taken(&put.entry).is_ok_and(|event| event.id() == "0191"));
        }
        let cloud = serde_json::json!({"specversion": "1.0", "id": "i", "source": "s", "type": "t", "slipswitchresources": value});
        if let Ok(entry) = cloudevents::entry_of(cloud.to_string().as_bytes(), &Limits::default())
            && let Ok(event) = taken(&entry)
        {
            prop_assert_eq!(event.id(), "i");
        }
    }
}
