"""Random numbers that are the same whenever the same event passes the same step: not for keys or passwords.

A rule grants them with ``grant: [random]``.
"""

from __future__ import annotations

import builtins

try:
    from wit_world.imports import random as _wit
except ImportError:
    from slipswitch._native import random as _wit  # type: ignore[assignment, no-redef]


def bytes(len: int) -> builtins.bytes:
    """At most 4,096 bytes."""
    return builtins.bytes(_wit.bytes(len))


def number() -> float:
    """At least 0, less than 1."""
    return (int(_wit.number()) >> 11) / (1 << 53)


def integer(least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``, both included."""
    return least + int(number() * (most - least + 1))
