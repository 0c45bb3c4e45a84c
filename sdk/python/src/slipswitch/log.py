"""Lines for the router's own log, under the plugin's name. Always granted; ``print`` writes here, too."""

from __future__ import annotations

from slipswitch._expect import well_formed as _well_formed

try:
    from wit_world.imports import log as _wit
except ImportError:
    from slipswitch._native import log as _wit  # type: ignore[assignment, no-redef]

_LEVELS = ("trace", "debug", "info", "warn", "error")


def line(level: str, message: object, **fields: object) -> None:
    """A line at "trace", "debug", "info", "warn" or "error", with fields beside its message."""
    if level not in _LEVELS:
        raise ValueError(f"log.line: level must be one of {', '.join(_LEVELS)}, is {level!r}")
    pairs = [(_well_formed(name), _well_formed(str(value))) for name, value in fields.items()]
    _wit.log(_wit.Level[level.upper()], _well_formed(str(message)), pairs)


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
