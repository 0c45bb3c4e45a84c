"""Runs a plugin's recorded cases, ``tests/*.json``, under this Python: the same files as ``slipswitch plugin test``.

That runs the built plugin; here it is the source, so a debugger can stop in it. In ``tests/test_cases.py``, for unittest
and pytest alike::

    from slipswitch.testkit import cases

    Cases = cases(__file__)
"""

from __future__ import annotations

import base64
import json
import re
import unittest
from datetime import datetime
from pathlib import Path
from typing import Any

from slipswitch import Event, Output, PluginError
from slipswitch._expect import written
from slipswitch._guest import ConfigRefused, Guest, words
from slipswitch._native import world
from slipswitch._project import load, read_project

__all__ = ["cases", "run", "world"]

_KEYS = ("name", "config", "event", "attributes", "grant", "state", "expect", "expect-state")
_ENVELOPE: dict[str, Any] = {
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000001",
    "detail-type": "Test",
    "source": "test",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": "local",
    "resources": [],
    "detail": {},
}
#: Limits are the router's: a case that expects one runs with `slipswitch plugin test` alone.
_ONLY_IN_THE_ROUTER = ("trap", "limit")


def cases(test_file: str) -> type[unittest.TestCase]:
    """A class with one test per case beside ``test_file``, of the project that has it in ``tests/``."""
    tests = Path(test_file).resolve().parent
    module = load(read_project(tests.parent))
    methods: dict[str, Any] = {}
    for file in sorted(tests.glob("*.json")):
        found = json.loads(file.read_text())
        for index, given in enumerate(found if isinstance(found, list) else [found]):
            title = re.sub(r"\W+", "_", str(given.get("name", index + 1)))
            methods[f"test_{file.stem}_{index + 1}_{title}"] = _method(module, given)
    if not methods:
        raise FileNotFoundError(f"no case in {tests}: put one into a file such as tests/first.json")
    return type("Cases", (unittest.TestCase,), {"maxDiff": None, **methods})


def _method(module: Any, given: dict[str, Any]) -> Any:
    def test(self: unittest.TestCase) -> None:
        expected = given.get("expect")
        if isinstance(expected, dict) and expected.get("error") in _ONLY_IN_THE_ROUTER:
            self.skipTest("a limit of the router: `slipswitch plugin test` runs it")
        run(self, module, given)

    return test


def run(test: unittest.TestCase, module: Any, given: dict[str, Any]) -> None:
    """One case: fails the test when it goes otherwise than expected."""
    unknown = [key for key in given if key not in _KEYS]
    test.assertFalse(unknown, f"unknown keys in the case; it takes {', '.join(_KEYS)}")
    for key in ("name", "event", "expect"):
        test.assertIn(key, given, f'the case has no "{key}"')
    guest, event = Guest(module), _event(given)
    _prepare(given, event)
    try:
        guest.configure(json.dumps(given.get("config", {})))
    except ConfigRefused as error:
        test.fail(f"it refuses its configuration: {error}")
    answer = _answer(guest, event)
    expected = given["expect"]
    if isinstance(expected, dict):
        if not isinstance(answer, PluginError):
            test.fail(f"expected the error {expected.get('error')!r}, and it answered {answer!r}")
        test.assertEqual(answer.kind, expected.get("error"), f"another error: {answer}")
        test.assertIn(expected.get("message", ""), words(answer))
    elif isinstance(answer, PluginError):
        test.fail(f"{answer.kind}: {answer}")
    elif isinstance(answer, bool):
        test.assertEqual(answer, expected)
    else:
        test.assertEqual(*_side_by_side(answer, expected))
    if "expect-state" in given:
        kept = {key: value for key, (value, expires) in world.state.items() if expires is None or world.now < expires}
        test.assertEqual(kept, _values(given["expect-state"]))


class _Refused(PluginError):
    kind = "output"


def _answer(guest: Guest, event: Event) -> bool | list[Output] | PluginError:
    try:
        if guest.role == "filter":
            return guest.keep(event)
        answer = guest.transform(event) if guest.role == "transformer" else guest.transform_batch([event])[0]
    except PluginError as error:
        return error
    return answer if isinstance(answer, PluginError) else _taken(answer)


def _taken(outputs: list[Output]) -> list[Output] | PluginError:
    """As the router takes it: what is no JSON where JSON is due is refused in its words."""
    for index, output in enumerate(outputs):
        try:
            json.loads(output.body if _is_json(output) else "null")
        except ValueError as error:
            mend = "text needs the attribute `content-type`, such as text/plain"
            return _Refused(f"the plugin's output is refused: output {index} is not JSON ({error}); {mend}")
    return outputs


def _event(given: dict[str, Any]) -> Event:
    whole = {**_ENVELOPE, **given["event"]}
    detail = written(whole.pop("detail"))
    before = written(whole)[:-1] + ',"detail":'
    span = (len(before.encode()), len(detail.encode()))
    attributes = list(given.get("attributes", {}).items())
    text = f"{before}{detail}}}"
    return Event(whole["id"], whole["source"], whole["detail-type"], whole["time"], text, span, attributes)


def _prepare(given: dict[str, Any], event: Event) -> None:
    world.__init__()  # type: ignore[misc]
    world.grants = given.get("grant", [])
    world.now = int(datetime.fromisoformat(event.time).timestamp() * 1000)
    world.seed = event.id
    world.state = {key: (value, None) for key, value in _values(given.get("state", {})).items()}


def _values(state: dict[str, Any]) -> dict[str, bytes]:
    def value(written: Any) -> bytes:
        return base64.b64decode(written["base64"]) if isinstance(written, dict) else str(written).encode()

    return {key: value(written) for key, written in state.items()}


def _side_by_side(answer: list[Output], expected: list[Any]) -> tuple[list[Any], list[Any]]:
    """What came out and what was expected, in the same form: attributes only where a case names them."""
    wanted = [one if _is_output(one) else {"body": one} for one in expected] if isinstance(expected, list) else [expected]
    came = []
    for index, output in enumerate(answer):
        body = json.loads(output.body) if _is_json(output) else output.body
        shown = {"body": body}
        names = wanted[index].get("attributes") if index < len(wanted) and isinstance(wanted[index], dict) else None
        if names is not None:
            shown["attributes"] = {name: output.attributes.get(name) for name in names}
        came.append(shown)
    return came, wanted


def _is_output(value: Any) -> bool:
    return isinstance(value, dict) and "body" in value and value.keys() <= {"body", "attributes"}


def _is_json(output: Output) -> bool:
    content_type = output.attributes.get("content-type", "application/json").split(";")[0].strip()
    return content_type.endswith(("/json", "+json"))
