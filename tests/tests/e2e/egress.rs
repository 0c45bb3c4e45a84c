//! Where targets may be, as the configuration says it: for `check`, and for what is sent.

use receiver::Receiver;

use crate::harness::{LONG, Scene};

const STRICT: &str = "egress: { private: refused }\n";

fn rule(name: &str, url: &str) -> String {
    format!(
        "name: {name}\nbus: shop\npattern: {{ source: [shop] }}\ntargets: [{{ id: crm, http: '{url}' }}]\n"
    )
}

const EVENT: &str = r#"{"source":"shop","detail-type":"Sold","detail":{}}"#;

#[test]
fn an_address_that_is_refused_fails_the_check_of_its_rule() {
    let scene = Scene::new();
    scene.write("rules/meta.yaml", rule("meta", "http://169.254.169.254/latest/meta-data"));
    let said = scene.run(&["check"]).expect(78);
    said.says(&["target-refused", "169.254.169.254 is link-local", "rules/meta.yaml:4:"]);

    scene.write("rules/meta.yaml", rule("local", "http://127.0.0.1:1/x"));
    scene.run(&["check"]).expect(0);
    scene
        .configured(STRICT)
        .run(&["check"])
        .expect(78)
        .says(&["127.0.0.1 is private", "egress.allow"]);
}

#[test]
fn a_name_that_means_a_refused_address_is_a_dead_letter_that_goes_once_it_is_allowed() {
    let target = Receiver::start().unwrap();
    let url = target.url("/crm").replace("127.0.0.1", "localhost");
    let scene = Scene::new().configured(STRICT);
    scene.write("rules/crm.yaml", rule("crm", &url));
    let router = scene.serve();
    router.send_to("shop", EVENT);
    let dead = router.wait_until("/api/v1/dead-letters", |found| {
        found["items"].as_array().is_some_and(|letters| !letters.is_empty())
    });
    let text = dead.to_string();
    assert!(text.contains("is private") && text.contains("egress.allow"), "{text}");
    assert!(target.requests().is_empty());
    router.stop().expect(0);

    let text = std::fs::read_to_string(scene.path("slipswitch.yaml")).unwrap();
    let wider = "egress: { private: refused, allow: [127.0.0.1, \"::1\"] }\n";
    scene.write("slipswitch.yaml", text.replace(STRICT, wider));
    let router = scene.serve();
    let words = ["dlq", "redrive", "--all", "--rule", "crm", "--yes"];
    assert_eq!(router.run(&words).expect(0).out, "redriven: 1\n");
    target.wait_for_count("/crm", 1, LONG).unwrap();
    router.stop().expect(0);
}

#[test]
fn what_is_no_range_is_named_in_the_configuration() {
    let scene = Scene::new().configured("egress: { allow: [10.0.0.0/8, 10.0.0.0/33, nonsense] }\n");
    let said = scene.run(&["check"]).expect(78);
    said.says(&[
        "`10.0.0.0/33` is no range of addresses",
        "`nonsense` is no range",
        "slipswitch.yaml:",
    ]);
}
