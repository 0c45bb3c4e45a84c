"""The event's time as the clock. A rule grants it with ``grant: [clock]``."""

from __future__ import annotations

try:
    from wit_world.imports import clock as _wit
except ImportError:
    from slipswitch._native import clock as _wit  # type: ignore[assignment, no-redef]


def now() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z: the event's own ``time``."""
    return int(_wit.now())
