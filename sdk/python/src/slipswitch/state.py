"""Keys and values that outlive the instance: durable, per plugin and bus. A rule grants them with ``grant: [state]``.

What a call writes takes effect with the outcome of its event: an event that is retried sees the state from before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from slipswitch import Invalid, Retry
from slipswitch._expect import S64, U64, escaped, expect

try:
    from wit_world.imports import state as _wit
except ImportError:
    from slipswitch._native import state as _wit  # type: ignore[assignment, no-redef]

_T = TypeVar("_T")


def get(key: str) -> str | None:
    """The text under a key (1 to 256 bytes), or None."""
    value = _got("get", key)
    return None if value is None else value.decode(errors="replace")


def get_bytes(key: str) -> bytes | None:
    return _got("get_bytes", key)


def get_json(key: str) -> Any:
    """The value under a key that ``set_json`` put there, or None."""
    value = _got("get_json", key)
    return None if value is None else json.loads(value.decode(errors="replace"))


def set(key: str, value: str | bytes, *, ttl_ms: int | None = None) -> None:
    """At most 64 KiB; ``ttl_ms`` milliseconds after the event's time it is gone."""
    _put("set", key, value, ttl_ms)


def set_json(key: str, value: Any, *, ttl_ms: int | None = None) -> None:
    _put("set_json", key, escaped(json.dumps(value, ensure_ascii=False)), ttl_ms)


def delete(key: str) -> None:
    """A key that is not there is no error."""
    name = _key("delete", key)
    _asked(lambda: _wit.delete(name))


def increment(key: str, by: int = 1, *, ttl_ms: int | None = None) -> int:
    """Adds to a number (one that is not there is 0) and returns the sum. What is no number stays: ``Retry``."""
    name, ttl = _key("increment", key), _ttl("increment", ttl_ms)
    expect("state.increment: by", by, "a whole number", S64)
    return _asked(lambda: _wit.increment(name, by, ttl))


def _key(function: str, key: str) -> str:
    return str(expect(f"state.{function}: key", key, "text"))


def _ttl(function: str, ttl_ms: int | None) -> int | None:
    return None if ttl_ms is None else int(expect(f"state.{function}: ttl_ms", ttl_ms, "a whole number", U64))


def _got(function: str, key: str) -> bytes | None:
    name = _key(function, key)
    return _asked(lambda: _wit.get(name))


def _put(function: str, key: str, value: str | bytes, ttl_ms: int | None) -> None:
    name, ttl = _key(function, key), _ttl(function, ttl_ms)
    kept = expect(f"state.{function}: value", value, "text or bytes", advice="; use set_json")
    kept = kept.encode() if isinstance(kept, str) else bytes(kept)
    _asked(lambda: _wit.set(name, kept, ttl))


def _asked(question: Callable[[], _T]) -> _T:
    """The contract's errors as those of an event: what is over a bound stays so, what is unavailable comes back."""
    try:
        return question()
    except Exception as error:
        reason = getattr(error, "value", error)
        case = getattr(error, "case", type(reason).__name__)
        words = f"state: {getattr(reason, 'value', reason)}"
        if case.endswith("TooLarge"):
            raise Invalid(words) from error
        if case.endswith("Unavailable"):
            raise Retry(words) from error
        raise
