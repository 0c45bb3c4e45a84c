"""Write slipswitch plugins in Python: one decorated function per module.

Nothing here asks the router for anything. What does, is a module of its own (``slipswitch.state``, …), so that a plugin
asks for what it imports and for nothing else.
"""

from __future__ import annotations

import json as _json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from slipswitch._expect import expect as _expect
from slipswitch._expect import written as _written

__all__ = [
    "Answer",
    "Event",
    "Fatal",
    "Invalid",
    "Output",
    "PluginError",
    "Retry",
    "batch_transformer",
    "filter",
    "transformer",
]

_ROLE = "__slipswitch_role__"


class PluginError(Exception):
    """Why an event has no answer. Any other exception counts as ``Invalid``, a ``NameError`` as ``Fatal``."""

    kind: str


class Invalid(PluginError):
    """This event can never work: it becomes a dead letter at once."""

    kind = "invalid"


class Retry(PluginError):
    """It may work later: the target's retry policy decides when, and how often."""

    kind = "retry"


class Fatal(PluginError):
    """The instance is broken: it is thrown away, and the event treated as with ``Retry``."""

    kind = "fatal"


class Event:
    """One event, on its way to one target. What is JSON is parsed when it is first asked for."""

    __slots__ = ("id", "source", "detail_type", "time", "json", "_span", "_pairs", "_detail", "_value", "_attributes")

    def __init__(
        self,
        id: str,
        source: str,
        detail_type: str,
        time: str,
        json: str,
        span: tuple[int, int] = (0, 0),
        attributes: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.id = id
        self.source = source
        self.detail_type = detail_type
        #: RFC 3339, as the envelope shows it.
        self.time = time
        #: The event as JSON text, byte for byte. After another step: what that step put out.
        self.json = json
        self._span = span
        self._pairs = attributes

    @property
    def value(self) -> Any:
        """The whole event."""
        try:
            return self._value
        except AttributeError:
            self._value: Any = _json.loads(self.json)
            return self._value

    @property
    def detail(self) -> Any:
        """The event's ``detail``; None when there is none."""
        try:
            return self._detail
        except AttributeError:
            self._detail: Any = self._parsed_detail()
            return self._detail

    @property
    def attributes(self) -> Mapping[str, str]:
        """``bus``, ``rule``, ``target``, ``replay-name``, … and what the step before attached."""
        try:
            return self._attributes
        except AttributeError:
            # Names may repeat; the last one counts.
            self._attributes: Mapping[str, str] = dict(self._pairs)
            return self._attributes

    def _parsed_detail(self) -> Any:
        start, length = self._span
        if length == 0:
            return self.value.get("detail") if isinstance(self.value, dict) else None
        # The span counts bytes, which are characters only while all of them are ASCII.
        if self.json.isascii():
            return _json.loads(self.json[start : start + length])
        return _json.loads(self.json.encode()[start : start + length])


class Output:
    """One thing to send on: a body, and what the router should know about it."""

    __slots__ = ("body", "attributes")

    def __init__(self, body: str, attributes: Mapping[str, str] | None = None) -> None:
        _expect("Output: body", body, "text", advice="; use Output.json")
        self.body = body
        self.attributes = dict(attributes or {})
        for name, value in self.attributes.items():
            _expect(f"Output: the name of attribute {name!r}", name, "text")
            _expect(f"Output: attribute `{name}`", value, "text")

    @classmethod
    def json(cls, value: Any, attributes: Mapping[str, str] | None = None) -> Output:
        """A value as JSON."""
        return cls(_written(value), attributes)

    @classmethod
    def raw(cls, json: str, attributes: Mapping[str, str] | None = None) -> Output:
        """JSON text that is already written. The router checks that it is JSON."""
        _expect("Output.raw: json", json, "text", advice="; use Output.json")
        return cls(json, attributes)

    @classmethod
    def text(cls, text: str, attributes: Mapping[str, str] | None = None) -> Output:
        """Plain text, unless an attribute ``content-type`` says what else."""
        _expect("Output.text: text", text, "text")
        return cls(text, {"content-type": "text/plain; charset=utf-8", **(attributes or {})})


#: A value is sent on as JSON, a list or a generator is one output per item, and None drops the event.
Answer: TypeAlias = Output | Mapping[str, Any] | str | int | float | bool | None | Iterable[Any]

_Transform = TypeVar("_Transform", bound=Callable[[Event, Any], Answer])
_Keep = TypeVar("_Keep", bound=Callable[[Event, Any], bool])
_TransformBatch = TypeVar("_TransformBatch", bound=Callable[[Sequence[Event], Any], Iterable[Answer | PluginError]])


def transformer(call: _Transform) -> _Transform:
    """Decides what goes on: no output drops the event, one replaces it, several fan it out."""
    return _with_role("transformer", call)


def filter(call: _Keep) -> _Keep:
    """Decides whether an event goes on: True keeps it as it is."""
    return _with_role("filter", call)


def batch_transformer(call: _TransformBatch) -> _TransformBatch:
    """A transformer that is given several events at once, and answers each, in order; an error is an answer, too."""
    return _with_role("batch_transformer", call)


_Call = TypeVar("_Call")


def _with_role(role: str, call: _Call) -> _Call:
    if not callable(call):
        raise TypeError(f"@{role} goes before a function of (event, config), not {type(call).__name__}")
    setattr(call, _ROLE, role)
    return call
