"""Figures of the plugin's own among the router's metrics. A rule grants them with ``grant: [metrics]``."""

from __future__ import annotations

from slipswitch._expect import U64 as _U64
from slipswitch._expect import expect as _expect

try:
    from wit_world.imports import metrics as _wit
except ImportError:
    from slipswitch._native import metrics as _wit  # type: ignore[assignment, no-redef]


def count(name: str, by: int = 1) -> None:
    """Adds to a counter. Names are ``[a-z][a-z0-9_]*``, up to 64 bytes."""
    _wit.count(_expect("metrics.count: name", name, "text"), _expect("metrics.count: by", by, "a whole number", _U64))


def observe(name: str, value: float) -> None:
    """One observation of a histogram."""
    figure = float(_expect("metrics.observe: value", value, "a number"))
    _wit.observe(_expect("metrics.observe: name", name, "text"), figure)
