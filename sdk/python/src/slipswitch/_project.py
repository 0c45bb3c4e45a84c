"""A plugin's project on disk: what its pyproject.toml says, and its module under this Python."""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
import threading
import tomllib
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

INTERFACES = ("log", "metrics", "clock", "random", "state")


class ProjectError(Exception):
    """Words for the plugin's author."""


@dataclass(frozen=True)
class Project:
    folder: Path
    #: Where its modules are.
    sources: Path
    #: The module that a plugin begins with.
    module: str
    name: str
    version: str
    description: str

    @property
    def entry(self) -> Path:
        return self.sources / f"{self.module}.py"

    def has(self, file: str) -> bool:
        """Whether a file is its author's own: the SDK and other packages may lie in the folder, too."""
        path = Path(file)
        return path.is_relative_to(self.sources) and not any(
            part.startswith(".") or part == "site-packages" for part in path.relative_to(self.sources).parts
        )


def read_project(folder: Path) -> Project:
    file = folder / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text()).get("project", {})
    except FileNotFoundError:
        raise ProjectError(f"{file} is missing: run this in the folder of the plugin's project") from None
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{file}: {error}") from None
    name, version = project.get("name"), project.get("version")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ProjectError(f'{file}: [project] needs name = "…", the plugin\'s name, of letters, digits, ".", "_" and "-"')
    if not isinstance(version, str):
        raise ProjectError(f'{file}: [project] needs version = "0.1.0" or the like')
    missing = _not_installed(project.get("dependencies", []), folder / "requirements.txt")
    if missing is not None:
        raise ProjectError(f"{file}: `{missing}` of `dependencies` is not installed from here: write it into requirements.txt")
    found = [sources for sources in (folder / "src", folder) if (sources / "plugin.py").is_file()]
    if not found:
        raise ProjectError(f"{folder / 'plugin.py'} is missing: it is where the plugin begins")
    return Project(folder.resolve(), found[0].resolve(), "plugin", name, version, project.get("description", ""))


def _not_installed(dependencies: list[str], requirements: Path) -> str | None:
    """The first of the dependencies that the project's list of what to install does not have."""

    def name(line: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0]).lower()

    listed = {name(line) for line in requirements.read_text().splitlines()} if requirements.is_file() else set()
    return next((one for one in dependencies if name(one) not in listed), None)


def within(seconds: float, project: Project, call: Callable[[], _T]) -> _T:
    """What ``call`` returns. When it takes longer, says where it is and ends the process: nothing else stops a loop."""
    thread = threading.get_ident()

    def stop() -> None:
        frame, place = sys._current_frames().get(thread), project.entry.name
        while frame is not None:
            if project.has(frame.f_code.co_filename):
                place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                break
            frame = frame.f_back
        print(f"error: {place}: {endless(seconds)}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        return call()
    finally:
        timer.cancel()


def endless(seconds: float) -> str:
    return (
        f"it does not end in {seconds:g} seconds while it starts, as it does when it is built: "
        "is there an endless loop outside its functions?"
    )


def load(project: Project) -> types.ModuleType:
    """The author's module, as this Python runs it."""
    if str(project.sources) not in sys.path:
        sys.path.insert(0, str(project.sources))
    try:
        return importlib.import_module(project.module)
    except SyntaxError as error:
        raise ProjectError("".join(traceback.format_exception_only(error)).strip()) from None
    except Exception as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if project.has(frame.filename)]
        told = "".join(traceback.format_list(own) + traceback.format_exception_only(error)).rstrip()
        if isinstance(error, ModuleNotFoundError):
            told += (
                f"\n`{error.name}` is not installed for this plugin: if it is pure Python, write it into requirements.txt; "
                "what needs the network, files or compiled code cannot be in a plugin"
            )
        raise ProjectError(f"{project.entry.name} does not load:\n{told}") from None


def wanted(project: Project) -> list[str]:
    """The interfaces that the project's modules import, wherever in them."""
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [project.entry]
    while waiting:
        file = waiting.pop()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        for name in _imports(ast.parse(file.read_bytes(), file)):
            first, _, rest = name.partition(".")
            if first == "slipswitch":
                found.update({rest.partition(".")[0]} & set(INTERFACES))
            path = project.sources.joinpath(*name.split("."))
            waiting += [path.with_suffix(".py"), path / "__init__.py", path.parent.with_suffix(".py")]
    return sorted(found)


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names += [module, *(f"{module}.{alias.name}".lstrip(".") for alias in node.names)]
    return names
