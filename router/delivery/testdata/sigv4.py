"""Writes sigv4.json: what botocore signs. Run as `python3 sigv4.py > sigv4.json`, with botocore from PyPI.

The first credentials, the time and the service `service` are those of AWS's own published suite, so that its known
signatures (`get-vanilla`: 5fa00fa3…, `post-vanilla`: 5da7c1a2…) appear among the cases.
"""
import datetime, json, sys
from urllib.parse import urlsplit
import botocore, botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2015, 8, 30, 12, 36, 0, tzinfo=datetime.timezone.utc)
for place in ("get_current_datetime",):
    if hasattr(auth, place):
        setattr(auth, place, lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW)

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "https://example.amazonaws.com"
CASES = [
    ("get-vanilla", "GET", "/", {}, "", "service", None),
    ("post-vanilla", "POST", "/", {}, "", "service", None),
    ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", {}, "", "service", None),
    ("query-order-value", "GET", "/?Param1=value2&Param1=value1", {}, "", "service", None),
    ("query-empty-value", "GET", "/?b&a=&c=1", {}, "", "service", None),
    ("query-encoded", "POST", "/?a=%2Fx%20y&ä=%C3%A4".replace("ä", "%C3%A4"), {}, "{}", "service", None),
    ("path-encoded", "POST", "/a%20b/%C3%A1", {}, "{}", "service", None),
    ("path-slashes", "GET", "//a//b//", {}, "", "service", None),
    ("path-dots", "GET", "/a/./b/../c", {}, "", "service", None),
    ("path-plain-odd", "GET", "/a/b:c@d/e~f=g", {}, "", "service", None),
    ("post-json", "POST", "/2015-03-31/functions/f/invocations", {"content-type": "application/json"}, '{"a": "ä"}', "lambda", None),
    ("x-amz-headers", "POST", "/", {"content-type": "application/x-amz-json-1.1", "x-amz-target": "AWSEvents.PutEvents", "X-Amz-Odd": "  a   b  c "}, '{"Entries":[]}', "events", None),
    ("session-token", "POST", "/", {"content-type": "application/json"}, "[]", "execute-api", "AQoDYXdzEPT//////////wEXAMPLE+token=="),
    ("port", "POST", "/x", {}, "1", "execute-api", None),
    ("s3-path", "PUT", "/bucket/a%20b//c/../d", {"content-type": "text/plain"}, "hello", "s3", None),
    ("s3-token", "PUT", "/bucket/key%2Bplus?x-id=PutObject", {}, "", "s3", "TOKEN"),
]

out = []
for name, method, target, headers, body, service, token in CASES:
    base = HOST + (":8443" if name == "port" else "")
    request = AWSRequest(method=method, url=base + target, data=body.encode(), headers=headers)
    signer = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    signer(Credentials("AKIDEXAMPLE", SECRET, token), service, "us-east-1").add_auth(request)
    path, _, query = target.partition("?")
    out.append({
        "name": name, "method": method, "host": urlsplit(base).netloc, "path": path, "query": query,
        "headers": headers, "body": body, "service": service, "session_token": token,
        "authorization": request.headers["Authorization"],
    })
json.dump({"made_with": f"botocore {botocore.__version__}", "cases": out}, sys.stdout, indent=1, ensure_ascii=False)
print()
