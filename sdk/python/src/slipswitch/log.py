"""Lines for the router's own log, under the plugin's name. Always granted; ``print`` writes here, too."""

from __future__ import annotations

try:
    from wit_world.imports import log as _wit
except ImportError:
    from slipswitch._native import log as _wit  # type: ignore[assignment, no-redef]


def line(level: str, message: object, **fields: object) -> None:
    """A line at "trace", "debug", "info", "warn" or "error", with fields beside its message."""
    _wit.log(_wit.Level[level.upper()], str(message), [(name, str(value)) for name, value in fields.items()])


def trace(message: object, **fields: object) -> None:
    line("trace", message, **fields)


def debug(message: object, **fields: object) -> None:
    line("debug", message, **fields)


def info(message: object, **fields: object) -> None:
    line("info", message, **fields)


def warn(message: object, **fields: object) -> None:
    line("warn", message, **fields)


def error(message: object, **fields: object) -> None:
    line("error", message, **fields)
