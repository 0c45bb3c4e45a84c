"""The plugin's side of the contract: from an author's module to the functions that the router calls.

The same code runs in the plugin and in the test kit, so that a test sees what the router will.
"""

from __future__ import annotations

import inspect
import json
import os
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slipswitch import _ROLE, Event, Fatal, Invalid, Output, PluginError
from slipswitch._expect import escaped, well_formed
from slipswitch._schema import check, check_schema

_ROLES = "@transformer, @filter or @batch_transformer"
#: No event can cause these: the plugin has a mistake, or the instance is broken. The target's retry policy gives time
#: to mend it.
_FATAL = (NameError, ImportError, MemoryError)
#: The frames of an exception that are not the author's: ours and the standard library's.
_NOT_THE_AUTHORS = (os.path.dirname(__file__), os.path.dirname(inspect.__file__), "<")


class ConfigRefused(Exception):
    """Words for the author of the rule."""


class Guest:
    """The functions of the contract for an author's module."""

    def __init__(self, module: types.ModuleType) -> None:
        self.role, self._call = _plugin_of(module)
        self._schema = getattr(module, "CONFIG_SCHEMA", None)
        self._configure = getattr(module, "configure", None)
        self.pure = getattr(module, "PURE", True)
        if self._schema is not None and not isinstance(self._schema, dict):
            raise TypeError(f"CONFIG_SCHEMA is a JSON Schema, a dict; this is {_kind(self._schema)}")
        if self._schema is not None:
            check_schema(self._schema, "CONFIG_SCHEMA")
        if not isinstance(self.pure, bool):
            raise TypeError(f"PURE is True or False; this is {_kind(self.pure)}")
        self.config_schema = "" if self._schema is None else escaped(json.dumps(self._schema, ensure_ascii=False))
        self._config: Any = {}

    def configure(self, text: str) -> None:
        try:
            config = json.loads(text)
            if self._schema is not None:
                config = check(config, self._schema)
            self._config = config if self._configure is None else self._configure(config)
        except (PluginError, ValueError) as error:
            # Words on purpose are for the author of the rule, who cares for no place in the source.
            raise ConfigRefused(words(error)) from error
        except Exception as error:
            raise ConfigRefused(words(_explained(error))) from error

    def transform(self, event: Event) -> list[Output]:
        with _Explaining():
            return _outputs(self._call(event, self._config))

    def keep(self, event: Event) -> bool:
        with _Explaining():
            kept = self._call(event, self._config)
            if isinstance(kept, bool):
                return kept
            raise Fatal(f"a filter returns True or False, and this one returned {_kind(kept)}")

    def transform_batch(self, events: Sequence[Event]) -> list[list[Output] | PluginError]:
        """One result per event: one bad event does not fail its neighbours."""
        try:
            with _Explaining():
                answers = list(self._call(events, self._config))
                if len(answers) != len(events):
                    raise Fatal(
                        f"a batch transformer returns one answer per event, here {len(events)}, "
                        f"and this one returned {len(answers)}"
                    )
        except PluginError as error:
            return [error for _ in events]
        return [_result(answer) for answer in answers]


class _Explaining:
    """Turns what an author's code raises into one of the contract's errors."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, PluginError):
            raise _explained(error) from error


def _plugin_of(module: types.ModuleType) -> tuple[str, Any]:
    found = [value for value in vars(module).values() if inspect.isfunction(value) and hasattr(value, _ROLE)]
    if len(found) != 1:
        what = "no function" if not found else " and ".join(f"`{one.__name__}`" for one in found)
        verb = "has" if len(found) < 2 else "have"
        raise TypeError(f"no plugin: {what} {verb} a role; put one of {_ROLES} before exactly one function")
    call = found[0]
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        raise TypeError(f"`{call.__name__}` is async: a plugin waits for nothing")
    return getattr(call, _ROLE), call


def sent(output: Output) -> tuple[str, list[tuple[str, str]]]:
    """The body and the attributes as the contract has them: what UTF-8 cannot write is mended."""
    attributes = {well_formed(name): well_formed(value) for name, value in output.attributes.items()}
    is_json = attributes.get("content-type", "json").split(";")[0].strip().endswith("json")
    body = escaped(output.body) if is_json else well_formed(output.body)
    return body, list(attributes.items())


def words(error: BaseException) -> str:
    """What an error says, as the contract has it."""
    return well_formed(str(error)) or "no message"


def _result(answer: Any) -> list[Output] | PluginError:
    try:
        with _Explaining():
            if isinstance(answer, BaseException):
                raise answer
            return _outputs(answer)
    except PluginError as error:
        return error


def _outputs(answer: Any) -> list[Output]:
    """What a transformer returned, as the contract's list."""
    if answer is None:
        return []
    if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes, Mapping)):
        return [_output(one) for one in answer]
    return [_output(answer)]


def _output(value: Any) -> Output:
    if isinstance(value, Output):
        # Once more: both can be set after an output is made.
        return Output(value.body, value.attributes)
    if value is None:
        raise Fatal("None among several outputs: leave it out, or write Output.json(None)")
    return Output.json(value)


def _explained(error: BaseException) -> PluginError:
    """An unexpected exception as one of ours, with the last place in the author's own source."""
    kind = Fatal if isinstance(error, _FATAL) else Invalid
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError):
        words += " (only what is imported at the top of a module is in the plugin)"
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_NOT_THE_AUTHORS):
            place = f", at {code.co_name} ({os.path.basename(code.co_filename)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return kind(words + place)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
