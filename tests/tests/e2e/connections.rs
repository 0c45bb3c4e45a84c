//! Connections of every kind against a real receiver, and the search for their secrets in all that a router says and
//! keeps.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use rcgen::{CertificateParams, KeyPair};
use receiver::{Answer, Receiver};

use crate::harness::{LONG, Router, Scene};

const PASSWORD: &str = r#"pä"ss<w>&rd/1+x"#;
const API_KEY: &str = r#"k"ey=\;{}-<1>&'2'"#;
const BEARER: &str = "bearer~secret/+abc==";
const CLIENT_SECRET: &str = "cl&ient=s€cret %41";
const TOKEN: &str = "token-of.the~endpoint-123456";
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AWS_SESSION: &str = "session//token==of+aws";
const QUERY: &str = "query s€cret&=?";

/// Of a client: a certificate and its key, in PEM.
static IDENTITY: LazyLock<[String; 2]> = LazyLock::new(|| {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    [certificate.pem(), key.serialize_pem()]
});

/// In the order of the rules.
const KINDS: [&str; 6] = ["basic", "api", "bearer", "oauth", "aws", "query"];

/// Everything that is shown of events, targets and failures.
const VERBS: [&str; 19] = [
    "status",
    "status -o json",
    "connection ls",
    "connection ls -o json",
    "target ls",
    "dlq ls",
    "dlq ls -o json",
    "dlq show 1",
    "dlq show 4",
    "dlq show 7",
    "doctor",
    "plugin ls",
    "dlq export",
    "dlq count --by error",
    "events --since 1h",
    "event ID",
    "event ID --payloads",
    "event ID -o json",
    "check",
];

const RESOURCES: [&str; 18] = [
    "/",
    "/metrics",
    "/readyz",
    "/healthz",
    "/api/v1/rules",
    "/api/v1/status",
    "/api/v1/connections",
    "/api/v1/subscriptions",
    "/api/v1/dead-letters",
    "/api/v1/dead-letters/1",
    "/api/v1/dead-letters/count?group_by=error",
    "/api/v1/dead-letters/export",
    "/api/v1/events",
    "/api/v1/events/ID?payloads=true",
    "/api/v1/replays",
    "/api/v1/archives",
    "/api/v1/plugins",
    "/api/v1/plugin-logs",
];

fn configuration(receiver: &Receiver) -> String {
    let token = receiver.url("/token");
    format!(
        r#"log: {{ level: trace, format: FORMAT }}
connections:
  basic: {{ basic: {{ user: ann, password: "${{file:secrets/password}}" }}, hosts: [127.0.0.1] }}
  api: {{ api_key: {{ header: X-Api-Key, value: "${{T_API_KEY}}" }} }}
  bearer: {{ bearer: {{ token: "${{credential:bearer}}" }} }}
  oauth:
    oauth: {{ token_url: "{token}", client_id: me, client_secret: "${{T_CLIENT_SECRET}}", scope: "a b" }}
  aws:
    sigv4:
      access_key_id: AKIDEXAMPLE
      secret_access_key: ${{T_AWS_SECRET}}
      session_token: ${{T_AWS_SESSION}}
      region: eu-west-1
      service: events
  query: {{ query: {{ token: "${{T_QUERY}}", team: orders }}, headers: {{ x-team: orders }} }}
  mutual: {{ mtls: {{ certificate: secrets/mutual.pem, key: "${{file:secrets/mutual.key}}" }} }}
"#
    )
}

fn rules(receiver: &Receiver) -> String {
    let rule = |kind: &&str| {
        let (good, bad) =
            (receiver.url(&format!("/{kind}")), receiver.url(&format!("/{kind}-bad")));
        format!(
            "name: {kind}\npattern: {{ source: [a] }}\ntargets:\n  - id: good\n    http: {{ url: '{good}', connection: {kind} }}\n  \
             - id: bad\n    http: {{ url: '{bad}', connection: {kind} }}\n    \
             retry: {{ attempts: 2, backoff: {{ min: 1ms, max: 1ms }} }}\n---\n"
        )
    };
    // Nobody speaks TLS there, so what it says is an error, of an attempt that had the key in its hands.
    let mutual = format!(
        "name: mutual\npattern: {{ source: [a] }}\ntargets:\n  - id: bad\n    \
         http: {{ url: '{}', connection: mutual }}\n    retry: {{ attempts: 2, backoff: {{ min: 1ms, max: 1ms }} }}\n",
        receiver.url("/mutual").replace("http:", "https:")
    );
    KINDS.iter().map(rule).chain([mutual]).collect()
}

/// A router with all kinds, whose bad targets say the secrets again that they are sent.
fn start(scene: &Scene, receiver: &Receiver, format: &str) -> Router {
    fs::create_dir_all(scene.path("secrets")).unwrap();
    scene.write("secrets/password", format!("{PASSWORD}\n"));
    scene.write("secrets/bearer", BEARER);
    let [certificate, key] = &*IDENTITY;
    scene.write("secrets/mutual.pem", certificate);
    scene.write("secrets/mutual.key", key);
    scene.write("rules/all.yaml", rules(receiver));
    let granted =
        format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":3600}}"#);
    receiver.always("/token", Answer::status(200).body(granted));
    for kind in KINDS {
        let status = if kind == "oauth" { 401 } else { 400 };
        let own = needles().into_iter().filter(|(of, ..)| *of == kind);
        let echo = own.map(|(_, _, needle)| needle).collect::<Vec<_>>().join(" ");
        receiver.always(
            &format!("/{kind}-bad"),
            Answer::status(status).body(format!("refused: {echo}")),
        );
    }
    let text = fs::read_to_string(scene.path("slipswitch.yaml")).unwrap();
    scene.write("slipswitch.yaml", text.replace("FORMAT", format));
    let mut command = scene.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("T_API_KEY", API_KEY).env("T_CLIENT_SECRET", CLIENT_SECRET);
    command.env("T_AWS_SECRET", AWS_SECRET).env("T_AWS_SESSION", AWS_SESSION);
    command.env("T_QUERY", QUERY).env("CREDENTIALS_DIRECTORY", scene.path("secrets"));
    Router::start(&mut command)
}

/// What must be found nowhere, with the connection it is of and what it is. Encoded by hand, not by the code that hides them.
fn needles() -> Vec<(&'static str, &'static str, String)> {
    [
        ("basic", "the password", PASSWORD),
        ("basic", "user and password in base64", "YW5uOnDDpCJzczx3PiZyZC8xK3g="),
        ("basic", "the password, percent-encoded", "p%C3%A4%22ss%3Cw%3E%26rd%2F1%2Bx"),
        ("basic", "the password in JSON", r#"pä\"ss<w>&rd/1+x"#),
        ("api", "the key", API_KEY),
        ("api", "the key in JSON", r#"k\"ey=\\;{}-<1>&'2'"#),
        ("bearer", "the bearer token", BEARER),
        ("oauth", "the client's secret", CLIENT_SECRET),
        ("oauth", "the client's secret in a form", "cl%26ient%3Ds%E2%82%ACcret+%2541"),
        ("oauth", "the access token", TOKEN),
        ("oauth", "the access token in base64", "dG9rZW4tb2YudGhlfmVuZHBvaW50LTEyMzQ1Ng=="),
        ("aws", "AWS's secret", AWS_SECRET),
        ("aws", "AWS's session token", AWS_SESSION),
        ("query", "the secret of the query", QUERY),
        ("query", "the secret of the query, encoded", "query%20s%E2%82%ACcret%26%3D%3F"),
        ("mutual", "the private key", IDENTITY[1].lines().nth(1).unwrap()),
    ]
    .map(|(kind, what, needle)| (kind, what, needle.to_owned()))
    .into()
}

#[track_caller]
fn says_none(what: &str, text: &[u8]) {
    for (_, secret, needle) in needles() {
        let found = text.windows(needle.len()).position(|part| part == needle.as_bytes());
        if let Some(at) = found {
            let around = &text[at.saturating_sub(200)..(at + needle.len() + 100).min(text.len())];
            panic!("{what} says {secret}:\n{}", String::from_utf8_lossy(around));
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn search(format: &str) {
    let receiver = Receiver::start().unwrap();
    let scene = Scene::new().configured(&configuration(&receiver));
    let router = start(&scene, &receiver, format);
    let id = router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids().remove(0);
    let dead = KINDS.len() + 1;
    router
        .wait_until("/api/v1/dead-letters", |page| page["items"].as_array().unwrap().len() == dead);
    for kind in KINDS {
        receiver.wait_for_count(&format!("/{kind}"), 1, LONG).unwrap();
    }
    router.run(&["dlq", "redrive", "--all", "--yes"]);
    let mut repeated = 0;
    for verb in VERBS {
        let verb = verb.replace("ID", &id);
        let ended = router.run(&verb.split(' ').collect::<Vec<_>>());
        says_none(&verb, (ended.out.clone() + &ended.err).as_bytes());
        repeated += ended.out.matches("refused: …").count();
    }
    assert!(0 < repeated, "what targets answer is shown somewhere, or nothing is proved");
    for path in RESOURCES {
        let path = path.replace("ID", &id);
        says_none(&path, &router.get(&path).body);
    }
    let command = format!("/proc/{}/cmdline", router.process.id());
    says_none("its command line", &fs::read(command).unwrap());
    let ended = router.stop().expect(0);
    assert!(
        ended.err.contains("TRACE") || ended.err.contains("DEBUG"),
        "it says little:\n{}",
        ended.err
    );
    says_none("its log", (ended.out + &ended.err).as_bytes());
    let mut kept = Vec::new();
    files(&scene.path("data"), &mut kept);
    assert!(3 < kept.len());
    for path in kept {
        // Segments are mostly zeros, which no secret has.
        let mut text = fs::read(&path).unwrap();
        text.retain(|byte| *byte != 0);
        says_none(&path.display().to_string(), &text);
    }
}

#[test]
fn no_secret_of_a_connection_is_said_or_kept_anywhere() {
    search("text");
}

#[test]
fn no_secret_of_a_connection_is_in_logs_of_json() {
    search("json");
}

#[test]
fn each_kind_sends_what_it_is_for() {
    let receiver = Receiver::start().unwrap();
    let scene = Scene::new().configured(&configuration(&receiver));
    let router = start(&scene, &receiver, "text");
    router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids();
    let sent =
        |kind: &str| receiver.wait_for_count(&format!("/{kind}"), 1, LONG).unwrap().remove(0);
    assert_eq!(sent("basic").header("authorization"), Some("Basic YW5uOnDDpCJzczx3PiZyZC8xK3g="));
    assert_eq!(sent("api").header("x-api-key"), Some(API_KEY));
    assert_eq!(sent("bearer").header("authorization"), Some("Bearer bearer~secret/+abc=="));
    assert_eq!(sent("oauth").header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    let aws = sent("aws");
    let proof = aws.header("authorization").unwrap();
    assert!(proof.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{proof}");
    assert!(
        proof.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "),
        "{proof}"
    );
    assert_eq!(aws.header("x-amz-security-token"), Some(AWS_SESSION));
    let query = sent("query");
    assert_eq!(query.query.as_deref(), Some("token=query%20s%E2%82%ACcret%26%3D%3F&team=orders"));
    assert_eq!(query.header("x-team"), Some("orders"));
    let asked = receiver.wait_for_count("/token", 1, LONG).unwrap().remove(0);
    assert_eq!(
        asked.text(),
        "grant_type=client_credentials&client_id=me&client_secret=cl%26ient%3Ds%E2%82%ACcret+%2541&scope=a+b"
    );
    let listed = router.wait_until("/api/v1/connections", |all| {
        // Nobody answers over the seventh.
        all.as_array().unwrap().iter().filter(|one| one["state"] != "unused").count() == KINDS.len()
    });
    let (first, last) = (&listed[0], &listed[6]);
    assert_eq!((&first["name"], &first["kind"]), (&"api".into(), &"api_key".into()), "{listed}");
    assert_eq!(first["used_by"], serde_json::json!(["default/api/good", "default/api/bad"]));
    assert_eq!((&last["name"], &last["kind"]), (&"query".into(), &"none".into()), "{listed}");
}

#[test]
fn a_secret_that_is_rotated_is_used_without_a_restart() {
    let receiver = Receiver::start().unwrap();
    let scene = Scene::new().configured(&configuration(&receiver));
    let router = start(&scene, &receiver, "text");
    scene.replace("secrets/bearer", "another-bearer-token");
    router.process.err.wait_for("another secret is in use", 0);
    router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids();
    let sent = receiver.wait_for_count("/bearer", 1, LONG).unwrap().remove(0);
    assert_eq!(sent.header("authorization"), Some("Bearer another-bearer-token"));
    scene.replace("secrets/bearer", "");
    router.process.err.wait_for("the one before stays in use", 0);
}

#[test]
fn a_connection_that_is_not_there_loses_nothing() {
    let receiver = Receiver::start().unwrap();
    let url = receiver.url("/x");
    let scene = Scene::new();
    scene.write(
        "rules/a.yaml",
        format!("name: a\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: {{ url: '{url}', connection: crm }} }}]\n"),
    );
    let checked = scene.run(&["check"]).expect(0);
    assert!((checked.out + &checked.err).contains("there is no connection `crm`"));
    let router = scene.serve();
    router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids();
    router.wait_until("/api/v1/subscriptions", |all| all[0]["postponed"] == 1);
    let listed = router.get("/api/v1/connections").json();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["used_by"][0]),
        (&"missing".into(), &"default/a/out".into())
    );
    assert!(router.run(&["connection", "ls"]).expect(0).out.contains("missing"));
    router.stop().expect(0);
    let scene = scene.configured("connections: { crm: none }\n");
    let router = scene.serve();
    receiver.wait_for_count("/x", 1, LONG).unwrap();
    router.wait_until_all_is_delivered();
}

#[test]
fn a_secret_that_stands_in_the_configuration_is_refused_and_not_shown() {
    for (broken, said) in [
        ("crm: { basic: { user: a, password: hunter2 } }", "a secret does not stand in this file"),
        ("crm: { bearer: hunter2 }", "`bearer` must be a map"),
        ("crm: { basic: { user: a, pasword: hunter2 } }", "did you mean `password`?"),
        (
            "crm:\n    bearer:\n      token: >\n        hunter2",
            "a secret does not stand in this file",
        ),
        ("crm: { bearer: { token: \"${X:-hunter2}\" } }", "a secret does not stand in this file"),
        ("crm: { headers: { x-api-key: hunter2 } }", "a secret does not stand in this file"),
        ("crm: { api_key: { header: x, value: 'hunter2' }, hosts: [\"a b\"] }", "this is no host"),
    ] {
        let scene = Scene::new().configured(&format!("connections:\n  {broken}\n"));
        for verb in ["check", "serve"] {
            let ended = scene.run(&[verb]).expect(78).says(&[said]);
            assert!(!(ended.out + &ended.err).contains("hunter2"), "{broken}");
        }
    }
}

#[test]
fn a_secret_that_is_not_there_is_named_with_its_place() {
    let scene = Scene::new()
        .configured("connections:\n  crm: { bearer: { token: \"${T_NOBODY_SETS_THIS}\" } }\n");
    let place = "slipswitch.yaml:4: connections.crm.bearer.token";
    let reason = "the environment variable `T_NOBODY_SETS_THIS` is not set";
    scene.run(&["serve"]).expect(78).says(&[place, reason]);
}

#[test]
fn a_credential_goes_only_where_its_owner_lets_it() {
    let receiver = Receiver::start().unwrap();
    let scene = Scene::new()
        .configured("connections: { crm: { basic: { user: a, password: \"${P}\" }, hosts: [crm.example.org] } }\n");
    let url = receiver.url("/x");
    let http = |more: &str| {
        format!(
            "name: a\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: {{ url: '{more}' , connection: crm }} }}]\n"
        )
    };
    scene.write("rules/a.yaml", http(&url));
    scene.run(&["check"]).expect(78).says(&["its `hosts` do not have the", "host of this URL"]);
    scene.write(
        "rules/a.yaml",
        http("https://crm.example.org/x")
            .replace("connection:", "headers: { Authorization: x }, connection:"),
    );
    scene.run(&["check"]).expect(78).says(&["it sends the header", "`authorization` itself"]);
}
