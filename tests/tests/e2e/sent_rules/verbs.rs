//! The same from the command line: `slipswitch rule`, `export`, and `diff`, which keeps what was sent.

use std::fs;

use serde_json::json;

use super::{done, listed, log, names, origin, put, rule};
use crate::harness::Scene;

#[test]
fn the_command_line_makes_rules_shows_and_removes_them() {
    let scene = Scene::new();
    scene.write("rules/own.yaml", log("own"));
    let router = scene.serve();
    let url = router.url();
    let run = |words: &[&str]| scene.run(&[words, &["--url", &url]].concat());
    let two =
        "# both\nname: b # it\npattern: { source: [a] }\ntargets: [{ id: out, log: console }]\n";
    scene.write("one.yaml", rule("a", "http://127.0.0.1:9/"));
    scene.write("all.yaml", format!("{}---\n{two}", log("a")));
    let made = run(&["rule", "put", "one.yaml"]).expect(0);
    assert_eq!(made.out, "shop/a: made, generation 2\n");
    let put = run(&["rule", "put", "all.yaml", "one.yaml"]).expect(0);
    assert_eq!(
        put.out,
        "shop/a: replaced, generation 3\ndefault/b: made, generation 4\nshop/a: replaced, generation 5\n"
    );
    let again = run(&["rule", "put", "one.yaml"]).expect(0);
    assert_eq!(again.out, "shop/a: was in service already, generation 5\n");

    let listed = run(&["rule", "ls"]).expect(0).out;
    let rows: Vec<String> =
        listed.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "BUS RULE STATE FROM TARGETS WHERE",
        "default b enabled interface out data/rules/default/b.yaml:2",
        "shop own enabled file out rules/own.yaml:1",
    ] {
        assert!(rows.iter().any(|it| it == row), "{listed}");
    }
    let shop = run(&["rule", "ls", "--bus", "shop", "-o", "ndjson"]).expect(0).out;
    assert_eq!(shop.lines().count(), 2, "{shop}");
    assert_eq!(run(&["rule", "show", "b"]).expect(0).out, two);
    let own = run(&["rule", "show", "own", "--bus", "shop"]).expect(0).out;
    assert!(own.contains("file    rules/own.yaml, line 1\n"), "{own}");
    assert!(!own.contains("pattern"), "{own}");

    for (words, told) in [
        (&["rule", "disable", "shop/a"][..], "shop/a: disabled, generation 6\n"),
        (
            &["rule", "disable", "a", "--bus", "shop"],
            "shop/a: was disabled already, generation 6\n",
        ),
        (&["rule", "enable", "shop/a"], "shop/a: enabled, generation 7\n"),
    ] {
        assert_eq!(run(words).expect(0).out, told);
    }
    run(&["rule", "rm", "shop/own"]).expect(1).says(&["belongs to rules/own.yaml, line 1"]);
    let removed = run(&["rule", "rm", "shop/a", "b"]).expect(0).out;
    assert_eq!(removed, "shop/a: removed, generation 8\ndefault/b: removed, generation 9\n");
    run(&["rule", "show", "own"])
        .expect(1)
        .says(&["there is no rule `own` on the bus `default`; there is one on `shop`"]);
    run(&["rule", "rm", "gone"]).expect(1).says(&["on the bus `default`, which has none"]);
    run(&["rule", "rm", "shop/onw"]).expect(1).says(&["did you mean `own`?"]);
    assert_eq!(names(&router), ["own"]);
}

#[test]
fn what_is_wrong_with_a_rule_is_told_of_the_file_that_was_sent() {
    let scene = Scene::new();
    let router = scene.serve();
    let url = router.url();
    let put = |input: &str, words: &[&str]| {
        let words = [&["rule", "put"], words, &["--url", &url]].concat();
        scene.run_on(&words, input.as_bytes())
    };
    let wrong = log("a").replace("pattern", "patern");
    scene.write("mine.yaml", &wrong);
    put("", &["mine.yaml"]).expect(78).says(&[
        "─[mine.yaml:3:1]",
        "did you mean `pattern`?",
        "nothing was changed",
    ]);
    put(&wrong, &["-"]).expect(78).says(&["[standard input:3:1]"]);
    put("name: [\n", &["-"]).expect(78).says(&["[standard input:"]);
    put(&format!("{}---\n{wrong}", log("b")), &["-"]).expect(78).says(&[
        "standard input, in the rule from line 5:3:1",
        "1 of 2 rules were taken before it, and run",
    ]);
    assert_eq!(names(&router), ["b"]);
    put("# no rule\n", &["-"]).expect(2).says(&["standard input holds no rule"]);
    put("pattern: {}\n", &["-"]).expect(2).says(&["has no `name`", "slipswitch check"]);
    put("", &["gone.yaml"]).expect(2).says(&["gone.yaml"]);
}

#[test]
fn rules_that_were_sent_become_files_that_the_router_reads() {
    let scene = Scene::new();
    let router = scene.serve();
    let url = router.url();
    let run = |words: &[&str]| scene.run(&[words, &["--url", &url]].concat());
    run(&["export", "out"]).expect(0).says(&["no rule was made over the interface"]);
    let texts = [("one", rule("one", "http://127.0.0.1:9/")), ("a.events", log("a.events"))];
    for (name, text) in &texts {
        done(&put(&router, name, text), 201);
    }
    let all = run(&["export"]).expect(0).out;
    assert_eq!(all, format!("{}---\n{}", texts[1].1, texts[0].1));
    scene.write("all.yaml", all);
    scene.run(&["check", "all.yaml"]).expect(0);

    let exported = run(&["export", "rules"]).expect(0);
    assert_eq!(exported.out, "rules/shop/a%2Eevents.yaml\nrules/shop/one.yaml\n");
    exported.says(&["2 rules written to rules", "slipswitch rule rm shop/a.events shop/one"]);
    scene.run(&["check"]).expect(0);
    router.wait_until("/api/v1/rules", |rules| {
        rules.as_array().unwrap().iter().all(|rule| rule["from"] == "file")
    });
    let taken_back = run(&["rule", "rm", "shop/a.events", "shop/one"]).expect(0).out;
    assert!(
        taken_back.contains("shop/one: taken back; it runs from rules/shop/one.yaml,"),
        "{taken_back}"
    );
    assert_eq!(fs::read_to_string(scene.path("rules/shop/one.yaml")).unwrap(), texts[0].1);
    assert_eq!(listed(&router), [origin("a.events", "file"), origin("one", "file")]);

    // What is there already is kept.
    done(&put(&router, "new", &log("new")), 201);
    fs::create_dir_all(scene.path("out/shop")).unwrap();
    scene.write("out/shop/new.yaml", "name: mine\n");
    run(&["export", "out"]).expect(1).says(&["out/shop/new.yaml", "--force"]);
    assert_eq!(fs::read_to_string(scene.path("out/shop/new.yaml")).unwrap(), "name: mine\n");
    run(&["export", "out", "--force"]).expect(0);
    assert_eq!(fs::read_to_string(scene.path("out/shop/new.yaml")).unwrap(), log("new"));
    run(&["export", "out"]).expect(0).says(&["0 rules written to out, 1 there already"]);
}

#[test]
fn a_comparison_keeps_what_was_sent() {
    let scene = Scene::new();
    scene.write("rules/own.yaml", log("own"));
    let router = scene.serve();
    done(&put(&router, "sent", &log("sent").replace("log: console", "bus: default")), 201);
    let url = router.url();
    let compared = scene.run(&["diff", "-o", "json", "--url", &url]).expect(0).json();
    assert_eq!(compared["rules_candidate"], 2, "{compared}");
    assert_eq!(compared["subscriptions"], json!([]), "{compared}");
    assert_eq!(compared["subscriptions_same"], 2, "{compared}");
}
