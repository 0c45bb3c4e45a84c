"""The SDK under this Python: what an author's module answers, in the contract's own terms."""

import json
import os
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path

from slipswitch import (
    Event,
    Fatal,
    Invalid,
    Output,
    Retry,
    batch_transformer,
    clock,
    filter,
    log,
    metrics,
    random,
    state,
    transformer,
)
from slipswitch._expect import written
from slipswitch._guest import ConfigRefused, Guest, sent, words
from slipswitch._native import world
from slipswitch._project import ProjectError, load, read_project, wanted
from slipswitch._schema import check
from slipswitch.testkit import run


def module(call, **names):
    made = types.ModuleType("plugin")
    vars(made).update(call=call, **names)
    return made


def event(detail, attributes=()):
    before = '{"id":"e-1","source":"shop","detail":'
    text = written(detail)
    span = (len(before), len(text.encode()))
    return Event("e-1", "shop", "T", "2026-01-01T00:00:00Z", f"{before}{text}}}", span, attributes)


def transformed(call, detail=None):
    answer = Guest(module(transformer(call))).transform(event({} if detail is None else detail))
    return [(output.body, output.attributes) for output in answer]


def refuse(config):
    raise Invalid(config)


class Answers(unittest.TestCase):
    def test_what_a_transformer_returns_becomes_outputs(self):
        for answer, bodies in [
            (None, []),
            ([], []),
            ({"a": 1.5}, ['{"a":1.5}']),
            ("é", ['"é"']),
            ([1, Output.raw("[2]")], ["1", "[2]"]),
            ((n for n in (1, 2)), ["1", "2"]),
            (Output.json([1, 2]), ["[1,2]"]),
        ]:
            self.assertEqual([body for body, _ in transformed(lambda event, config: answer)], bodies)
        text = transformed(lambda event, config: Output.text("hi", {"ordering-key": "k"}))
        self.assertEqual(text, [("hi", {"content-type": "text/plain; charset=utf-8", "ordering-key": "k"})])

    def test_errors_keep_their_kind_and_others_are_invalid_and_name_their_place(self):
        def raising(error):
            def call(event, config):
                raise error

            return call

        for error in (Invalid("a"), Retry("b"), Fatal("c")):
            with self.assertRaises(type(error)) as caught:
                transformed(raising(error))
            self.assertEqual(str(caught.exception), str(error))
        with self.assertRaisesRegex(Invalid, r"^KeyError: 'name', at <lambda> \(test_sdk\.py:\d+\)$"):
            transformed(lambda event, config: event.detail["name"])
        with self.assertRaisesRegex(Fatal, "^NameError: "):
            transformed(lambda event, config: nobody)  # noqa: F821
        with self.assertRaisesRegex(Invalid, "^TypeError: .*not JSON"):
            transformed(lambda event, config: object())

    def test_an_events_json_is_parsed_once_and_by_its_span(self):
        for detail in ({"a": 1}, {"a": "é𝄞"}, [], None, 7):
            given = event(detail, [("rule", "a"), ("rule", "b")])
            self.assertEqual(given.detail, detail)
            self.assertIs(given.detail, given.detail)
            self.assertEqual(given.value["detail"], detail)
            self.assertEqual(given.attributes, {"rule": "b"})
        self.assertEqual(Event("", "", "", "", '{"detail":{"a":1}}').detail, {"a": 1})
        self.assertIsNone(Event("", "", "", "", "[1]").detail)

    def test_half_of_a_surrogate_pair_goes_out_as_an_escape_or_as_a_mark(self):
        half, mark = "a\ud800é", "a\ufffdé"
        for output, body in [
            (lambda text: {"t": text}, '{"t":"a\\ud800é"}'),
            (lambda text: Output.raw(f'"{text}"'), '"a\\ud800é"'),
            (lambda text: Output.text(text), mark),
            (lambda text: Output(text, {"content-type": "text/csv"}), mark),
        ]:
            made = Guest(module(transformer(lambda event, config: output(event.detail["t"])))).transform(event({"t": half}))
            self.assertEqual(sent(made[0])[0], body)
        self.assertEqual(sent(Output("1", {half: half}))[1], [(mark, mark)])
        self.assertEqual(words(Invalid(half)), mark)
        self.assertEqual(words(Invalid()), "no message")
        with self.assertRaisesRegex(ConfigRefused, f"^{mark}$"):
            Guest(module(transformer(lambda event, config: None), configure=refuse)).configure('"a\\ud800é"')
        world.__init__()
        log.info(half, **{half: half})
        self.assertEqual(world.lines, [("info", mark, [(mark, mark)])])
        metrics.count(half)
        metrics.observe(half, 1)
        self.assertEqual(world.metrics, [(mark, 1), (mark, 1.0)])
        state.set(half, half)
        self.assertEqual((list(world.state), state.get(half)), ([mark], mark))
        state.increment(f"n{half}")
        state.set_json(half, half)
        self.assertEqual(state.get_json(half), half)
        state.delete(half)
        self.assertEqual(list(world.state), [f"n{mark}"])

    def test_a_filter_answers_with_a_bool_and_with_nothing_else(self):
        self.assertIs(Guest(module(filter(lambda event, config: True))).keep(event({})), True)
        with self.assertRaisesRegex(Fatal, "returns True or False, and this one returned None"):
            Guest(module(filter(lambda event, config: None))).keep(event({}))

    def test_one_bad_event_of_a_batch_does_not_fail_its_neighbours(self):
        def batch(call):
            return Guest(module(batch_transformer(call))).transform_batch([event(1), event(2), event(3)])

        good, bad, _ = batch(lambda events, config: [Invalid("two") if one.detail == 2 else one.detail for one in events])
        self.assertEqual(good[0].body, "1")
        self.assertEqual((bad.kind, str(bad)), ("invalid", "two"))
        self.assertRegex(str(batch(lambda events, config: [1])[2]), "here 3, and this one returned 1")


class Configurations(unittest.TestCase):
    def test_one_is_held_against_the_schema_and_prepared(self):
        schema = {"type": "object", "required": ["unit"], "properties": {"unit": {"enum": ["kg"]}, "n": {"default": 3}}}

        def configure(config):
            if config["n"] == 13:
                raise ValueError("13 brings bad luck")
            return {**config, "prepared": True}

        guest = Guest(module(transformer(lambda event, config: config), CONFIG_SCHEMA=schema, configure=configure))
        with self.assertRaisesRegex(ConfigRefused, "^`unit` is missing$"):
            guest.configure("{}")
        with self.assertRaisesRegex(ConfigRefused, "^13 brings bad luck$"):
            guest.configure('{"unit":"kg","n":13}')
        guest.configure('{"unit":"kg"}')
        self.assertEqual(guest.transform(event({}))[0].body, '{"unit":"kg","n":3,"prepared":true}')

    def test_what_does_not_fit_is_named_with_its_place(self):
        schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "list": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": 9}},
                "text": {"type": ["string", "null"], "pattern": "^[a-z]+$", "maxLength": 3},
                "map": {"additionalProperties": {"type": "string", "minLength": 1}},
                "flag": {"type": "integer"},
            },
        }
        for value, words in [
            ([], "the configuration: expected object, found []"),
            ({"lst": []}, "unknown key `lst`; it takes list, text, map, flag"),
            ({"list": []}, "`list`: expected at least 1 items, found []"),
            ({"list": [1, 1.5]}, "`list[1]`: expected integer, found 1.5"),
            ({"list": [10]}, "`list[0]`: expected at most 9, found 10"),
            ({"text": "A"}, '`text`: expected text that matches ^[a-z]+$, found "A"'),
            ({"text": "abcd"}, '`text`: expected at most 3 characters, found "abcd"'),
            ({"map": {"a": ""}}, '`map.a`: expected at least 1 characters, found ""'),
            ({"flag": True}, "`flag`: expected integer, found true"),
        ]:
            with self.assertRaises(Invalid) as caught:
                check(value, schema)
            self.assertEqual(str(caught.exception), words)


class Modules(unittest.TestCase):
    def test_one_that_is_no_plugin_says_what_is_missing(self):
        one = transformer(lambda event, config: None)
        for made, words in [
            (module(None), "no function has a role; put one of @transformer"),
            (module(one, other=filter(lambda event, config: True)), "`<lambda>` and `<lambda>` have a role"),
            (module(one, CONFIG_SCHEMA="x"), "CONFIG_SCHEMA is a JSON Schema, a dict; this is a str"),
            (module(one, PURE=1), "PURE is True or False; this is a int"),
        ]:
            with self.assertRaisesRegex(TypeError, words):
                Guest(made)

        async def late(event, config):
            pass

        with self.assertRaisesRegex(TypeError, "`late` is async"):
            Guest(module(transformer(late)))

    def test_a_plugin_asks_for_what_its_modules_import(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1"\n')
            with self.assertRaisesRegex(ProjectError, "plugin.py is missing"):
                read_project(folder)
            (folder / "plugin.py").write_text("import inner.part\nfrom slipswitch import Event, log\n")
            (folder / "inner").mkdir()
            (folder / "inner" / "__init__.py").write_text("")
            (folder / "inner" / "part.py").write_text("def late():\n    import slipswitch.state as s\n    return s\n")
            project = read_project(folder)
            self.assertEqual(wanted(project), ["log", "state"])
            (folder / "plugin.py").write_text("def f(:\n")
            with self.assertRaisesRegex(ProjectError, "line 1(.|\n)*SyntaxError"):
                load(project)


    def test_a_schema_that_is_none_is_refused_with_the_place(self):
        types = "object, array, string, boolean, null, number, integer"
        for schema, words in [
            (
                {"properties": {"n": {"type": "nummer"}}},
                f"CONFIG_SCHEMA.properties.n.type: expected {types} (did you mean \"number\"?), found 'nummer'",
            ),
            ({"type": ["string", 1]}, f"CONFIG_SCHEMA.type: expected {types}, found 1"),
            ({"properties": []}, "CONFIG_SCHEMA.properties: expected a dict, a schema for each key, found []"),
            ({"items": "x"}, "CONFIG_SCHEMA.items: expected a JSON Schema: a dict, True or False, found 'x'"),
            ({"items": {"required": "a"}}, "CONFIG_SCHEMA.items.required: expected a list of keys, found 'a'"),
            (
                {"additionalProperties": {"pattern": "("}},
                "CONFIG_SCHEMA.additionalProperties.pattern: expected a regular expression, found '('",
            ),
            ({"minimum": True}, "CONFIG_SCHEMA.minimum: expected a number, found True"),
            ({"enum": "a"}, "CONFIG_SCHEMA.enum: expected a list of values, found 'a'"),
        ]:
            with self.assertRaises(TypeError) as caught:
                Guest(module(filter(lambda event, config: True), CONFIG_SCHEMA=schema))
            self.assertEqual(str(caught.exception), words)
        schema = {"title": 1, "type": ["object", "null"], "properties": {"a": True, "b": {"const": {}}}}
        Guest(module(filter(lambda event, config: True), CONFIG_SCHEMA=schema))

    def test_a_package_that_is_not_installed_is_told_with_where_to_write_it(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            manifest = '[project]\nname = "a"\nversion = "1"\ndependencies = ["No_Such.thing >= 2", "slip"]\n'
            (folder / "pyproject.toml").write_text(manifest)
            (folder / "plugin.py").write_text("import no_such_thing.inner\n")
            with self.assertRaisesRegex(ProjectError, "`No_Such.thing >= 2` of .* write it into requirements.txt"):
                read_project(folder)
            (folder / "requirements.txt").write_text("# Some.\n-e .slipswitch/sdk/python\nno-such-thing==2\nslip\n")
            project = read_project(folder)
            sys.modules.pop("plugin", None)
            with self.assertRaisesRegex(ProjectError, "`no_such_thing` is not installed .* write it into requirements"):
                load(project)

    def test_a_module_that_never_ends_its_start_is_stopped(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1"\n')
            (folder / "plugin.py").write_text("import time\nwhile True:\n    pass\n")
            script = (
                "from pathlib import Path; from slipswitch._project import load, read_project, within;"
                "project = read_project(Path('.')); within(float({}), project, lambda: {})"
            )

            def run(seconds, call):
                command = [sys.executable, "-c", script.format(seconds, call)]
                path = str(Path(__file__).resolve().parents[1] / "src")
                environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
                return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)

            ended = run(1, "load(project)")
            words = r"^error: plugin\.py(:[23])?: it does not end in 1 seconds while it starts.*endless loop"
            self.assertEqual(ended.returncode, 1)
            self.assertRegex(ended.stderr, words)
            self.assertEqual(run(60, "7").returncode, 0)


class Imports(unittest.TestCase):
    def test_state_clock_and_chance_are_the_events_and_only_when_granted(self):
        world.__init__()
        world.grants, world.now = ["state", "clock", "random"], 1000
        self.assertIsNone(state.get("k"))
        state.set("k", "née", ttl_ms=10)
        self.assertEqual(state.get("k"), "née")
        self.assertEqual((state.increment("n", 2), state.increment("n")), (2, 3))
        for text in ["", "three", "1.5", "0x10", " 1", "1_0", "9223372036854775808"]:
            state.set("t", text)
            with self.assertRaisesRegex(Retry, "^state: the value of `t` is no number$"):
                state.increment("t")
            self.assertEqual(state.get("t"), text)
        state.set("t", "+3")
        self.assertEqual(state.increment("t"), 4)
        state.set_json("j", {"a": 1})
        self.assertEqual(state.get_json("j"), {"a": 1})
        state.delete("j")
        self.assertIsNone(state.get_json("j"))
        with self.assertRaisesRegex(Invalid, "^state: a key has 1 to 256 bytes"):
            state.set("", "x")
        self.assertEqual(clock.now(), 1000)
        world.now = 1010
        self.assertIsNone(state.get("k"))
        self.assertTrue(0 <= random.number() < 1 and 1 <= random.integer(1, 6) <= 6 and len(random.bytes(40)) == 40)
        world.grants = []
        with self.assertRaisesRegex(NameError, "`state` is not granted"):
            state.get("k")

    def test_an_argument_of_another_type_is_named_with_its_function(self):
        world.__init__()
        for call, refused in [
            (lambda: state.set("k", {"a": 1}), "TypeError: state.set: value must be text or bytes, is dict; use set_json"),
            (lambda: state.set("k", 1), "TypeError: state.set: value must be text or bytes, is int; use set_json"),
            (lambda: state.set(1, "v"), "TypeError: state.set: key must be text, is int"),
            (lambda: state.set("k", "v", ttl_ms="5"), "TypeError: state.set: ttl_ms must be a whole number, is str"),
            (lambda: state.set("k", "v", ttl_ms=-1), f"ValueError: state.set: ttl_ms must be from 0 to {2**64 - 1}, is -1"),
            (lambda: state.set_json(None, 1), "TypeError: state.set_json: key must be text, is None"),
            (lambda: state.get(None), "TypeError: state.get: key must be text, is None"),
            (lambda: state.get_bytes(b"k"), "TypeError: state.get_bytes: key must be text, is bytes"),
            (lambda: state.get_json(1), "TypeError: state.get_json: key must be text, is int"),
            (lambda: state.delete(1), "TypeError: state.delete: key must be text, is int"),
            (lambda: state.increment(1), "TypeError: state.increment: key must be text, is int"),
            (lambda: state.increment("n", "1"), "TypeError: state.increment: by must be a whole number, is str"),
            (lambda: state.increment("n", 2**63), f"ValueError: state.increment: by must be from {-(2**63)} to {2**63 - 1}"),
            (lambda: state.increment("n", ttl_ms=1.5), "TypeError: state.increment: ttl_ms must be a whole number, is float"),
            (lambda: metrics.count(1), "TypeError: metrics.count: name must be text, is int"),
            (lambda: metrics.count("a", 1.5), "TypeError: metrics.count: by must be a whole number, is float"),
            (lambda: metrics.count("a", -1), f"ValueError: metrics.count: by must be from 0 to {2**64 - 1}, is -1"),
            (lambda: metrics.observe(1, 1), "TypeError: metrics.observe: name must be text, is int"),
            (lambda: metrics.observe("a", "x"), "TypeError: metrics.observe: value must be a number, is str"),
            (lambda: random.bytes(-1), f"ValueError: random.bytes: len must be from 0 to {2**32 - 1}, is -1"),
            (lambda: random.integer(1, "6"), "TypeError: random.integer: most must be a whole number, is str"),
            (lambda: random.integer(5, 1), "ValueError: random.integer: most must not be below least, 5, is 1"),
            (lambda: log.line("loud", "x"), "ValueError: log.line: level must be one of trace, debug, info, warn, error"),
            (lambda: Output.text(5), "TypeError: Output.text: text must be text, is int"),
            (lambda: Output.raw({"a": 1}), "TypeError: Output.raw: json must be text, is dict; use Output.json"),
            (lambda: Output({}), "TypeError: Output: body must be text, is dict; use Output.json"),
            (lambda: Output.json(1, {"content-type": 5}), "TypeError: Output: attribute `content-type` must be text, is int"),
            (lambda: Output.json(1, {5: "a"}), "TypeError: Output: the name of attribute 5 must be text, is int"),
        ]:
            with self.assertRaises(Invalid, msg=refused) as caught:
                transformed(lambda event, config: call())
            self.assertTrue(str(caught.exception).startswith(refused), str(caught.exception))
            self.assertRegex(str(caught.exception), r", at <lambda> \(test_sdk\.py:\d+\)$")
        self.assertEqual((world.state, world.metrics), ({}, []))

        def late(event, config):
            output = Output.json(1)
            output.attributes["ordering-key"] = 5
            return output

        with self.assertRaisesRegex(Invalid, "^TypeError: Output: attribute `ordering-key` must be text, is int"):
            transformed(late)

    def test_a_case_tells_what_is_otherwise(self):
        made = module(transformer(lambda event, config: {"n": state.increment("n")}))
        case = {"name": "a", "event": {}, "grant": ["state"], "state": {"n": "1"}, "expect": [{"n": 2}]}
        run(self, made, {**case, "expect-state": {"n": "2"}})
        for wrong, words in [
            ({"expect": [{"n": 3}]}, "'n': 3"),
            ({"expect-state": {"n": "3"}}, "b'3'"),
            ({"grant": []}, "is not granted"),
            ({"expct": []}, "unknown keys in the case"),
            ({"expect": {"error": "invalid"}}, "expected the error"),
        ]:
            with self.assertRaisesRegex(AssertionError, words):
                run(self, made, {**case, **wrong})

    def test_what_is_no_json_where_json_is_due_is_an_output_that_is_refused(self):
        made = module(transformer(lambda event, config: [Output.text("{"), Output.raw("{")]))
        case = {"name": "a", "event": {}, "expect": {"error": "output", "message": "output 1 is not JSON ("}}
        run(self, made, case)
        with self.assertRaisesRegex(AssertionError, "another error: the plugin's output is refused"):
            run(self, made, {**case, "expect": {"error": "limit"}})


if __name__ == "__main__":
    unittest.main()
