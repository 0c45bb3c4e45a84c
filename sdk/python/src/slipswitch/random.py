"""Random numbers that are the same whenever the same event passes the same step: not for keys or passwords.

A rule grants them with ``grant: [random]``.
"""

from __future__ import annotations

import builtins

from slipswitch._expect import U32 as _U32
from slipswitch._expect import expect as _expect

try:
    from wit_world.imports import random as _wit
except ImportError:
    from slipswitch._native import random as _wit  # type: ignore[assignment, no-redef]


def bytes(len: int) -> builtins.bytes:
    """At most 4,096 bytes."""
    return builtins.bytes(_wit.bytes(_expect("random.bytes: len", len, "a whole number", _U32)))


def number() -> float:
    """At least 0, less than 1."""
    return (int(_wit.number()) >> 11) / (1 << 53)


def integer(least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``, both included."""
    _expect("random.integer: least", least, "a whole number")
    _expect("random.integer: most", most, "a whole number")
    if most < least:
        raise ValueError(f"random.integer: most must not be below least, {least}, is {most}")
    return least + int(number() * (most - least + 1))
