//! What botocore signs, and AWS's own published signatures.

use serde_json::Value;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_440_938_160_000);

fn signer(service: &str, session_token: Option<&str>) -> SigV4 {
    SigV4 {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new(SECRET.to_owned()),
        session_token: session_token.map(|token| Secret::new(token.to_owned())),
        region: "us-east-1".to_owned(),
        service: service.to_owned(),
    }
}

fn header(headers: &[(HeaderName, HeaderValue)], name: &str) -> Option<String> {
    let found = headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.to_str().unwrap().to_owned())
}

#[test]
fn it_signs_as_botocore_does() {
    let recorded = include_str!("../../testdata/sigv4.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    assert!(10 < cases.len());
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let headers: HeaderMap = case["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())
            })
            .collect();
        let request = Signed {
            method: text("method"),
            host: text("host"),
            path: text("path"),
            query: text("query"),
            headers: &headers,
            body: text("body").as_bytes(),
        };
        let signer = signer(text("service"), case["session_token"].as_str());
        let signed = signer.sign(&request, NOW).unwrap();
        let proof = header(&signed, "authorization").unwrap();
        assert_eq!(proof, text("authorization"), "{}", text("name"));
        assert_eq!(header(&signed, "x-amz-date").as_deref(), Some("20150830T123600Z"));
        let token = header(&signed, "x-amz-security-token");
        assert_eq!(token.as_deref(), case["session_token"].as_str());
    }
}

#[test]
fn the_suite_that_aws_published_has_these_signatures() {
    for (method, expected) in [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ] {
        let (host, headers) = ("example.amazonaws.com", &HeaderMap::new());
        let request = Signed { method, host, path: "/", query: "", headers, body: b"" };
        let signed = signer("service", None).sign(&request, NOW).unwrap();
        let proof = header(&signed, "authorization").unwrap();
        assert!(proof.ends_with(&format!("Signature={expected}")), "{proof}");
    }
}

#[test]
fn nothing_of_the_key_is_in_what_is_sent() {
    let request = Signed {
        method: "POST",
        host: "h",
        path: "/",
        query: "",
        headers: &HeaderMap::new(),
        body: b"",
    };
    let signed = signer("events", None).sign(&request, NOW).unwrap();
    assert!(signed.iter().all(|(_, value)| !value.to_str().unwrap().contains(SECRET)));
    assert!(signer("events", Some("a\nb")).sign(&request, NOW).is_none());
}
