"""A plugin's project on disk: what its pyproject.toml says, and its module under this Python."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
import traceback
import types
from dataclasses import dataclass
from pathlib import Path

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
    found = [sources for sources in (folder / "src", folder) if (sources / "plugin.py").is_file()]
    if not found:
        raise ProjectError(f"{folder / 'plugin.py'} is missing: it is where the plugin begins")
    return Project(folder.resolve(), found[0].resolve(), "plugin", name, version, project.get("description", ""))


def load(project: Project) -> types.ModuleType:
    """The author's module, as this Python runs it."""
    if str(project.sources) not in sys.path:
        sys.path.insert(0, str(project.sources))
    try:
        return importlib.import_module(project.module)
    except SyntaxError as error:
        raise ProjectError("".join(traceback.format_exception_only(error)).strip()) from None
    except Exception as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(project.sources))]
        told = "".join(traceback.format_list(own) + traceback.format_exception_only(error)).rstrip()
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
