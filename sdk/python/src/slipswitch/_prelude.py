"""First in every built plugin: what Python offers beside the language, and a plugin cannot have.

The same event, configuration and grants give the same output, so there is no time of day and no chance, except by
import. What is imported here is also what the standard library would import later, when there is no file to read.
"""

import _strptime  # noqa: F401
import builtins
import datetime
import importlib.machinery
import io
import os
import random
import sys
import time
import traceback  # noqa: F401

from slipswitch import log


class NotInAPlugin(NameError):
    pass


def _no(what, instead):
    def refuse(*_, **__):
        raise NotInAPlugin(f"{what} is not there in a plugin: {instead}")

    return refuse


_no_clock = _no("the time of day", "use event.time, or now() of slipswitch.clock")
_no_chance = _no("chance", "use slipswitch.random")


class _Datetime(datetime.datetime):
    now = classmethod(_no_clock)
    utcnow = classmethod(_no_clock)
    today = classmethod(_no_clock)


class _Lines:
    """A text stream whose lines go to the router's log."""

    def __init__(self, level):
        self._level = level
        self._begun = ""

    def write(self, text):
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            log.line(self._level, line)
        return len(text)

    def flush(self):
        pass


def install():
    """Before the author's module is imported."""
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep"):
        setattr(time, name, _no_clock)
    datetime.datetime = _Datetime
    os.urandom = _no_chance
    for name in dir(random):
        if not name.startswith("_") and hasattr(getattr(random, name), "__self__"):
            setattr(random, name, _no_chance)


def seal():
    """After it: what is not imported by now would be looked for in files, and there are none."""
    # Not before: while the plugin is built there is no log, and what goes wrong is to be seen.
    sys.stdout, sys.stderr = _Lines("info"), _Lines("error")
    sys.meta_path.remove(importlib.machinery.PathFinder)
    builtins.open = io.open = os.open = _no("a file", "put what it says into the module or into the configuration")
