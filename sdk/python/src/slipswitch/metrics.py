"""Figures of the plugin's own among the router's metrics. A rule grants them with ``grant: [metrics]``."""

from __future__ import annotations

try:
    from wit_world.imports import metrics as _wit
except ImportError:
    from slipswitch._native import metrics as _wit  # type: ignore[assignment, no-redef]


def count(name: str, by: int = 1) -> None:
    """Adds to a counter. Names are ``[a-z][a-z0-9_]*``, up to 64 bytes."""
    _wit.count(name, by)


def observe(name: str, value: float) -> None:
    """One observation of a histogram."""
    _wit.observe(name, value)
