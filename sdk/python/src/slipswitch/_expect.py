"""What goes over to the router: the contract's types, held against the values before they go.

A value of another type would stop the instance there, with words that name nothing of the author's.
"""

from __future__ import annotations

import json
import re
from typing import Any

_KINDS: dict[str, Any] = {
    "text": (str,),
    "text or bytes": (str, bytes, bytearray),
    "a whole number": (int,),
    "a number": (int, float),
}
_HALVES = re.compile("[\ud800-\udfff]")

S64 = (-(2**63), 2**63 - 1)
U64 = (0, 2**64 - 1)
U32 = (0, 2**32 - 1)


def expect(place: str, value: Any, kind: str, bounds: tuple[int, int] | None = None, advice: str = "") -> Any:
    """The value, when it is of its kind and within its bounds. ``place`` is "function: argument"."""
    if not isinstance(value, _KINDS[kind]):
        found = "None" if value is None else type(value).__name__
        raise TypeError(f"{place} must be {kind}, is {found}{advice}")
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"{place} must be from {bounds[0]} to {bounds[1]}, is {value}")
    return well_formed(value) if isinstance(value, str) else value


def well_formed(text: str) -> str:
    """Half of a surrogate pair, which JSON can escape and UTF-8 cannot write, becomes U+FFFD."""
    return text if text.isascii() else _HALVES.sub("\ufffd", text)


def escaped(text: str) -> str:
    """The same in JSON text: there it stays what it is, as an escape."""
    return text if text.isascii() else _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def written(value: Any) -> str:
    """A value as JSON text."""
    return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
