//! Rules made over HTTP: sent, refused, kept over a restart, taken back.

mod verbs;

use std::fs;

use receiver::Receiver;
use serde_json::{Value, json};

use crate::harness::{Answer, LONG, Router, Scene};

const EVENT: &str = r#"{"source":"a","detail-type":"T","detail":{}}"#;

/// Of the bus `shop`, with comments and odd spaces: it must come back as it is.
fn rule(name: &str, url: &str) -> String {
    format!(
        "# kept as it is\nname:   {name}\nbus: shop\npattern: {{ source: [a] }} # all of a\ntargets:\n  - id: out\n    http: '{url}'\n"
    )
}

fn log(name: &str) -> String {
    format!(
        "name: {name}\nbus: shop\npattern: {{ source: [a] }}\ntargets: [{{ id: out, log: console }}]\n"
    )
}

fn ask(router: &Router, method: &str, path: &str, body: &str) -> Answer {
    let mut connection = router.connect();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
    connection.raw(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    connection.answer().unwrap()
}

fn at(name: &str) -> String {
    format!("/api/v1/buses/shop/rules/{name}")
}

fn put(router: &Router, name: &str, text: &str) -> Answer {
    ask(router, "PUT", &at(name), text)
}

#[track_caller]
fn done(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()
}

/// Name and origin of each rule.
fn listed(router: &Router) -> Vec<(String, String)> {
    let all = router.get("/api/v1/rules").json();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    all.as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "from"))).collect()
}

fn names(router: &Router) -> Vec<String> {
    listed(router).into_iter().map(|(name, _)| name).collect()
}

fn origin(name: &str, from: &str) -> (String, String) {
    (name.to_owned(), from.to_owned())
}

#[test]
fn a_rule_that_is_sent_runs_when_it_is_answered_and_after_a_restart() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/file.yaml", log("of-file"));
    let router = scene.serve();
    let text = rule("sent", &target.url("/one"));
    let made = done(&put(&router, "sent", &text), 201);
    assert_eq!(
        made,
        json!({"bus": "shop", "name": "sent", "generation": 2, "changed": true, "created": true, "path": "data/rules/shop/sent.yaml", "removed": []})
    );
    router.send_to("shop", EVENT).ids();
    target.wait_for(LONG, |requests| requests.len() == 1).unwrap();
    assert_eq!(listed(&router), [origin("sent", "interface"), origin("of-file", "file")]);
    let shown = done(&router.get(&at("sent")), 200);
    assert_eq!((&shown["text"], &shown["from"]), (&text.as_str().into(), &"interface".into()));
    assert_eq!(fs::read_to_string(scene.path("data/rules/shop/sent.yaml")).unwrap(), text);
    let of_file = done(&router.get(&at("of-file")), 200);
    assert_eq!((&of_file["text"], &of_file["from"]), (&Value::Null, &"file".into()));

    // The same again is nothing new; another text takes its place, and the subscription keeps its own.
    let again = done(&put(&router, "sent", &text), 200);
    assert_eq!((&again["generation"], &again["changed"]), (&2.into(), &false.into()));
    let text = rule("sent", &target.url("/two"));
    assert_eq!(done(&put(&router, "sent", &text), 200)["generation"], 3);
    router.stop().expect(0);

    let router = scene.serve();
    assert_eq!(listed(&router), [origin("sent", "interface"), origin("of-file", "file")]);
    router.send_to("shop", EVENT).ids();
    let requests = target.wait_for(LONG, |requests| requests.len() == 2).unwrap();
    assert_eq!(requests[1].path, "/two");
    // What lies there is what runs: a reload finds nothing new.
    let reloaded = done(&ask(&router, "POST", "/api/v1/reload", ""), 200);
    assert_eq!((&reloaded["changed"], &reloaded["rules"]), (&false.into(), &2.into()));
    router.stop().expect(0);
}

#[test]
fn what_does_not_run_is_refused_with_its_place_and_nothing_changes() {
    let scene = Scene::new();
    let router = scene.serve();
    let good = log("one");
    done(&put(&router, "one", &good), 201);
    let test =
        "tests: [{ name: no, event: { source: b, detail-type: T, detail: {} }, expect: {} }]\n";
    for (text, line, column, says) in [
        (good.replace("pattern", "patern"), 3, 1, "`patern`"),
        (good.replace("[a]", "["), 4, 1, ""),
        (format!("{good}{test}"), 5, 17, "`no`"),
    ] {
        let answer = put(&router, "one", &text);
        let (status, kind, detail) = answer.problem();
        assert_eq!((status, kind.as_str()), (422, "rules-refused"), "{detail}");
        assert!(detail.ends_with("; nothing was changed"), "{detail}");
        let problem = answer.json();
        let first = &problem["diagnostics"][0];
        assert!(first["message"].as_str().unwrap().contains(says), "{first}");
        let rendered = problem["rendered"].as_str().unwrap();
        let place = format!("data/rules/shop/one.yaml:{}:{}", first["line"], first["column"]);
        assert!(rendered.contains(&place), "{rendered}");
        if !says.is_empty() {
            assert_eq!(
                (&first["line"], &first["column"]),
                (&line.into(), &column.into()),
                "{first}"
            );
        }
    }
    for (path, text, status, says) in [
        (at("other"), good.as_str(), 400, "what was sent is the rule `one` of the bus `shop`"),
        ("/api/v1/buses/default/rules/one".to_owned(), good.as_str(), 400, "send that rule alone"),
        (at("one"), "", 400, "what was sent is no rule"),
        (at("new"), "# nothing\n", 400, "what was sent is no rule"),
        (at("new"), &format!("{}---\n{}", log("new"), log("two")), 400, "what was sent is 2 rules"),
    ] {
        let answer = ask(&router, "PUT", &path, text);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
    }
    let bytes = ask(&router, "PUT", &at("one"), "\u{0}");
    assert_eq!(bytes.status, 422, "{}", bytes.text());
    assert_eq!(router.status()["generation"]["number"], 2);
    assert_eq!(fs::read_to_string(scene.path("data/rules/shop/one.yaml")).unwrap(), good);
    let files = fs::read_dir(scene.path("data/rules/shop")).unwrap().count();
    assert_eq!(files, 1, "nothing is left lying");
    assert_eq!(done(&router.get(&at("one")), 200)["text"], good);
}

#[test]
fn a_rule_that_is_sent_reads_and_writes_nothing_of_the_machine() {
    let connections = "connections:\n  open: { bearer: { token: '${file:token}' } }\n  bound: { bearer: { token: '${file:token}' }, hosts: [crm.example.org] }\n";
    let scene = Scene::new().configured(connections).with_plugins(&["redact"]);
    scene.write("token", "s3cret-of-the-machine");
    let router = scene.serve();
    let with = |target: &str| {
        format!(
            "name: sly\nbus: shop\npattern: {{ source: [a] }}\ntargets:\n- id: out\n  {target}\n"
        )
    };
    for target in [
        "http: 'http://h/${HOME}'",
        "http: 'http://h/${HOME:-none}'",
        "http: { url: http://h/, headers: { description: '${file:token}' } }",
        "http: { url: http://h/, headers: { input: '${credential:x}' } }",
        "log: { file: stolen.jsonl }",
        "log: '${HOME}'",
        "bus: '${file:token}'",
        "log: console\n  rate: '${file:token}'",
        "log: console\n  transform: [{ plugin: redact, config: { fields: ['${file:token}'] } }]",
        "log: console\n  transform: [{ plugin: redact, config: { pattern: '${file:token}' } }]",
        "http: { url: http://evil.example.org/, connection: open }",
    ] {
        let answer = put(&router, "sly", &with(target));
        assert_eq!(answer.problem().1, "rules-refused", "{target}");
        let told = answer.json();
        let codes = told["diagnostics"].as_array().unwrap();
        assert!(codes.iter().any(|one| one["code"] == "only-in-files"), "{target}: {told}");
        assert!(!answer.text().contains("s3cret"), "{target}: {told}");
    }
    let elsewhere = with("http: { url: http://evil.example.org/, connection: bound }");
    assert!(put(&router, "sly", &elsewhere).text().contains("connection-unfit"));
    for (name, target) in [
        ("a", "http: { url: http://crm.example.org/, connection: bound }"),
        ("b", "http: 'http://h/$${HOME}'"),
        ("c", "log: console\n  transform: [{ input: { constant: '${HOME}' } }]"),
    ] {
        let text = with(target).replace("name: sly", &format!("name: {name}"));
        done(&put(&router, name, &text), 201);
    }
    // The same is a matter of course in the folder.
    scene.write("rules/own.yaml", with("log: { file: '${HOME:-x}.jsonl' }").replace("sly", "own"));
    router.wait_for_status(|status| status["generation"]["rules"] == 4);
}

#[test]
fn rules_of_files_belong_to_them() {
    let scene = Scene::new();
    fs::create_dir(scene.path("rules/deep")).unwrap();
    scene.write("rules/deep/two.yaml", format!("{}---\n{}", log("first"), log("second")));
    let router = scene.serve();
    let before = fs::read(scene.path("rules/deep/two.yaml")).unwrap();
    let second = at("second");
    for (method, path, body) in [
        ("PUT", second.clone(), log("second")),
        ("DELETE", second.clone(), String::new()),
        ("POST", format!("{second}/disable"), String::new()),
        ("POST", format!("{second}/enable"), String::new()),
    ] {
        let (status, kind, detail) = ask(&router, method, &path, &body).problem();
        assert_eq!((status, kind.as_str()), (409, "conflict"), "{method}: {detail}");
        assert!(detail.contains("belongs to rules/deep/two.yaml, line 6"), "{detail}");
    }
    assert_eq!(fs::read(scene.path("rules/deep/two.yaml")).unwrap(), before);
    assert!(!scene.path("data/rules").exists());

    // One that is sent, and then written into a file, too: the old rules stay, and both places are told.
    done(&put(&router, "third", &log("third")), 201);
    scene.write("rules/third.yaml", format!("# mine\n{}", log("third")));
    let status = router.wait_for_status(|status| !status["last_error"].is_null());
    let rendered = status["last_error"]["rendered"].as_str().unwrap();
    assert!(rendered.contains("data/rules/shop/third.yaml:1"), "{rendered}");
    // Taken back over HTTP, the file's is the rule, and keeps the place of the subscription.
    let removed = done(&ask(&router, "DELETE", &at("third"), ""), 200);
    assert_eq!(removed["removed"], json!([]));
    let third = |router: &Router| listed(router).into_iter().find(|(name, _)| name == "third");
    assert_eq!(third(&router), Some(origin("third", "file")));
}

#[test]
fn a_copy_of_a_rule_in_the_folder_takes_its_place_and_loses_nothing() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let router = scene.serve();
    for name in ["one", "two"] {
        done(&put(&router, name, &rule(name, &target.url(&format!("/{name}")))), 201);
    }
    for name in ["one", "two"] {
        let text = fs::read_to_string(scene.path(&format!("data/rules/shop/{name}.yaml"))).unwrap();
        scene.replace(&format!("rules/{name}.yaml"), text);
    }
    router.wait_until("/api/v1/rules", |rules| {
        rules.as_array().unwrap().iter().all(|rule| rule["from"] == "file")
    });
    router.send_to("shop", EVENT).ids();
    target.wait_for(LONG, |requests| requests.len() == 2).unwrap();
    // What was sent is a leftover: it can go, and nothing else is done over HTTP.
    assert_eq!(put(&router, "one", &rule("one", "http://h/")).status, 409);
    for name in ["one", "two"] {
        let removed = done(&ask(&router, "DELETE", &at(name), ""), 200);
        assert_eq!(removed["removed"], json!([]));
        assert_eq!(ask(&router, "DELETE", &at(name), "").status, 409);
    }
    assert_eq!(listed(&router), [origin("one", "file"), origin("two", "file")]);
    assert_eq!(router.status()["last_error"], Value::Null);
}

#[test]
fn a_removed_rule_is_told_with_what_it_is_owed() {
    let target = Receiver::start().unwrap();
    target.always("/", receiver::Answer::status(503));
    let scene = Scene::new();
    let router = scene.serve();
    done(&put(&router, "sent", &rule("sent", &target.url("/"))), 201);
    for _ in 0..3 {
        router.send_to("shop", EVENT).ids();
    }
    router.run(&["target", "pause", "shop/sent"]).expect(0);
    router.send_to("shop", EVENT).ids();
    let removed = done(&ask(&router, "DELETE", &at("sent"), ""), 200);
    let owed = &removed["removed"][0];
    assert_eq!((&owed["bus"], &owed["rule"]), (&"shop".into(), &"sent".into()), "{removed}");
    assert!(
        owed["behind"].as_u64().unwrap() + owed["under_way"].as_u64().unwrap() > 0,
        "{removed}"
    );
    assert!(owed["kept_until"].is_string(), "{removed}");
    assert!(!scene.path("data/rules/shop/sent.yaml").exists());
    let (status, kind, _) = router.get(&at("sent")).problem();
    assert_eq!((status, kind.as_str()), (404, "unknown-bus"));
    let (status, ..) = ask(&router, "DELETE", &at("sent"), "").problem();
    assert_eq!(status, 404);
}

#[test]
fn a_folder_that_is_broken_does_not_stand_in_the_way() {
    let scene = Scene::new();
    scene.write("rules/good.yaml", log("good"));
    let router = scene.serve();
    scene.write("rules/half.yaml", "name: [\n");
    router.wait_for_status(|status| !status["last_error"].is_null());
    let made = done(&put(&router, "sent", &log("sent")), 201);
    assert_eq!((&made["generation"], &made["changed"]), (&2.into(), &true.into()));
    assert_eq!(done(&put(&router, "sent", &log("sent")), 200)["changed"], false);
    assert_eq!(listed(&router).len(), 2);
    let status = router.status();
    let rendered = status["last_error"]["rendered"].as_str().unwrap();
    assert!(rendered.contains("half.yaml"), "the folder is still broken: {rendered}");
    // What is wrong with the rule itself is still told.
    let answer = put(&router, "sent", &log("sent").replace("pattern", "patern"));
    assert!(answer.text().contains("data/rules/shop/sent.yaml:3:1"), "{}", answer.text());
    done(&ask(&router, "POST", &format!("{}/disable", at("sent")), ""), 200);
    fs::remove_file(scene.path("rules/half.yaml")).unwrap();
    router.wait_for_status(|status| status["last_error"].is_null());
    assert_eq!(listed(&router).len(), 2);
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let scene = Scene::new();
    let router = scene.serve();
    let long = "a".repeat(65);
    let many = "a".repeat(100_000);
    for name in ["..%2fx", "%2e%2e%2f%2e%2e%2fx", "a%00", "a%5cb", "%ff", "a%20b", &long] {
        let answer = put(&router, name, &log("x"));
        assert!((400..405).contains(&answer.status), "{name}: {}", answer.text());
    }
    assert!((400..500).contains(&put(&router, &many, "").status));
    assert!(!scene.path("data/rules").exists(), "nothing was written");
    for (bus, name) in [("..", ".."), ("%2e%2e", "x"), (".", ".x"), ("shop", "x.events")] {
        let path = format!("/api/v1/buses/{bus}/rules/{name}");
        let bus = bus.replace("%2e", ".");
        let text = log(&format!("'{name}'")).replace("bus: shop", &format!("bus: '{bus}'"));
        let answer = ask(&router, "PUT", &path, &text);
        done(&answer, 201);
    }
    let mut above: Vec<String> = fs::read_dir(scene.path("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    above.sort();
    assert_eq!(above, [""; 0], "above the folder");
    // All are rules for the next start, too.
    router.stop().expect(0);
    assert_eq!(listed(&scene.serve()).len(), 4);
}

#[test]
fn on_and_off_change_one_word_of_the_text() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let router = scene.serve();
    let text = rule("sent", &target.url("/"));
    done(&put(&router, "sent", &text), 201);
    let post = |verb: &str| ask(&router, "POST", &format!("{}/{verb}", at("sent")), "");
    let shown = || router.get(&at("sent")).json();
    assert_eq!(done(&post("disable"), 200)["generation"], 3);
    assert_eq!(shown()["enabled"], false);
    assert_eq!(shown()["text"], text.replace("name: ", "enabled: false\nname: "));
    assert_eq!(done(&post("disable"), 200)["changed"], false);
    router.send_to("shop", EVENT).ids();
    assert_eq!(done(&post("enable"), 200)["generation"], 4);
    assert_eq!(shown()["text"], text.replace("name: ", "enabled: true\nname: "));
    router.send_to("shop", &EVENT.replace("\"T\"", "\"On\"")).ids();
    let requests = target.wait_for(LONG, |requests| !requests.is_empty()).unwrap();
    assert!(requests[0].text().contains("\"On\""), "{}", requests[0].text());
    let (status, kind, _) = ask(&router, "POST", &format!("{}/enable", at("gone")), "").problem();
    assert_eq!((status, kind.as_str()), (404, "unknown-rule"));
}

/// Killed at whatever point of a change: the rule is the one before or the one after, whole, and there is a start.
#[test]
fn a_rule_is_whole_whenever_the_process_dies() {
    let scene = Scene::new();
    let versions = ["one", "two"].map(|word| {
        let rule = log("a").replace("name: a", &format!("name: a\ndescription: {word}"));
        format!("{rule}# {}\n", word.repeat(50_000))
    });
    let mut router = scene.serve();
    done(&put(&router, "a", &versions[0]), 201);
    for round in 0..6 {
        let next = &versions[(round + 1) % 2];
        let mut connection = router.connect();
        let length = next.len();
        let head =
            format!("PUT {} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n", at("a"));
        connection.raw(&[head.as_bytes(), next.as_bytes()].concat()).unwrap();
        if round % 3 != 0 {
            connection.answer().unwrap();
        }
        router.process.kill();
        drop(router);
        router = scene.serve();
        let found = done(&router.get(&at("a")), 200)["text"].as_str().unwrap().to_owned();
        assert!(versions.contains(&found), "{} bytes", found.len());
        if round % 3 != 0 {
            assert!(found == *next, "what was answered is there");
        }
    }
    // What a killed writer left is no rule, and goes.
    fs::write(scene.path("data/rules/shop/.a.yaml.1"), "name: [").unwrap();
    router.stop().expect(0);
    let router = scene.serve();
    done(&put(&router, "a", &versions[0]), 200);
    assert_eq!(names(&router), ["a"]);
    let files = fs::read_dir(scene.path("data/rules/shop")).unwrap().count();
    assert_eq!(files, 1, "nothing is left lying");
}

#[test]
fn rules_sent_side_by_side_and_reloads_between_them_lose_none() {
    const SENDERS: usize = 4;
    const EACH: usize = 6;
    let scene = Scene::new();
    scene.write("rules/own.yaml", log("own"));
    let router = scene.serve();
    std::thread::scope(|threads| {
        for sender in 0..SENDERS {
            let router = &router;
            threads.spawn(move || {
                for number in 0..EACH {
                    let name = format!("r-{sender}-{number}");
                    done(&put(router, &name, &log(&name)), 201);
                }
            });
        }
        for number in 0..EACH {
            scene.replace("rules/own.yaml", format!("# {number}\n{}", log("own")));
            done(&ask(&router, "POST", "/api/v1/reload", ""), 200);
        }
    });
    assert_eq!(listed(&router).len(), SENDERS * EACH + 1);
    let before = router.status()["generation"]["digest"].clone();
    router.stop().expect(0);
    let router = scene.serve();
    assert_eq!(router.status()["generation"]["digest"], before);
}
