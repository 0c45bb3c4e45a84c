"""What a plugin reaches when it runs outside the router: a stand-in, which a test sets up and looks at."""

from __future__ import annotations

import enum
import hashlib
import re
import sys

if sys.platform == "wasi":
    raise ImportError("the build did not see this module: import it at the top of the plugin's own modules")

_KEY_BYTES_MAX = 256
_VALUE_BYTES_MAX = 64 << 10
_LEAST, _MOST = -(2**63), 2**63 - 1


class World:
    """The router's side."""

    def __init__(self) -> None:
        self.grants: list[str] | None = None  # None is everything.
        self.now = 1_767_225_600_000
        self.seed = ""
        self.drawn = 0
        self.state: dict[str, tuple[bytes, int | None]] = {}
        self.lines: list[tuple[str, str, list[tuple[str, str]]]] = []
        self.metrics: list[tuple[str, float]] = []

    def need(self, grant: str) -> None:
        """Stops a plugin that uses what a case does not grant; the router refuses it already when it is loaded."""
        if self.grants is not None and grant not in self.grants:
            raise NameError(f'`{grant}` is not granted here: a case grants it with "grant": ["{grant}"]')


world = World()


class Refused(Exception):
    """As the contract's state.error, by the name of its case."""

    def __init__(self, case: str, words: str) -> None:
        super().__init__(words)
        self.case = case


class log:
    class Level(enum.Enum):
        TRACE = 0
        DEBUG = 1
        INFO = 2
        WARN = 3
        ERROR = 4

    @staticmethod
    def log(level: log.Level, message: str, fields: list[tuple[str, str]]) -> None:
        world.lines.append((level.name.lower(), message, fields))


class metrics:
    @staticmethod
    def count(name: str, by: int) -> None:
        world.need("metrics")
        world.metrics.append((name, by))

    observe = count


class clock:
    @staticmethod
    def now() -> int:
        world.need("clock")
        return world.now


class random:
    """The same numbers for the same event, as in the router, but not the router's own: a case cannot expect them."""

    @staticmethod
    def bytes(len: int) -> bytes:
        world.need("random")
        drawn = b""
        while drawn.__len__() < min(len, 4096):
            world.drawn += 1
            drawn += hashlib.sha256(f"{world.seed}/{world.drawn}".encode()).digest()
        return drawn[: min(len, 4096)]

    @staticmethod
    def number() -> int:
        return int.from_bytes(random.bytes(8), "little")


class state:
    @staticmethod
    def get(key: str) -> bytes | None:
        world.need("state")
        length = len(key.encode())
        if not 1 <= length <= _KEY_BYTES_MAX:
            raise Refused("TooLarge", f"a key has 1 to {_KEY_BYTES_MAX} bytes, and this one {length}")
        value, expires = world.state.get(key, (None, None))
        return value if expires is None or world.now < expires else None

    @staticmethod
    def set(key: str, value: bytes, ttl_ms: int | None) -> None:
        state.get(key)
        if len(value) > _VALUE_BYTES_MAX:
            raise Refused("TooLarge", f"a value has at most {_VALUE_BYTES_MAX} bytes, and this one {len(value)}")
        world.state[key] = (bytes(value), None if ttl_ms is None else world.now + ttl_ms)

    @staticmethod
    def delete(key: str) -> None:
        state.get(key)
        world.state.pop(key, None)

    @staticmethod
    def increment(key: str, by: int, ttl_ms: int | None) -> int:
        value = state.get(key)
        number = 0 if value is None else int(value) if re.fullmatch(rb"[+-]?[0-9]{1,4000}", value) else _MOST + 1
        if not _LEAST <= number <= _MOST:
            raise Refused("Unavailable", f"the value of `{key}` is no number")
        total = max(_LEAST, min(_MOST, number + by))
        state.set(key, str(total).encode(), ttl_ms)
        return total
