"""Makes ``<name>.wasm`` of a plugin's project: ``python -m slipswitch.build [FOLDER] [--out FILE]``.

    plugin.py ─▶ the interfaces it imports ─▶ a world of them ─▶ componentize-py: Python with the module in it

Python is initialised and the module imported while the plugin is built, so that an instance starts from there. Nothing
of WASI stays in the file: the router lets a plugin import what its rule grants, and nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from slipswitch._guest import Guest
from slipswitch._project import Project, ProjectError, endless, load, read_project, wanted, within

_HERE = Path(__file__).resolve().parent
#: How long a plugin's module may take to start under this Python, and in that of plugins, which is to be made, too.
_START_SECONDS_MAX = 60
_ENGINE_SECONDS_MAX = 600
_INTERFACES = {"transformer": "transformer", "filter": "filter", "batch_transformer": "batch-transformer"}


def build(folder: Path, out: Path | None = None) -> tuple[Path, list[str]]:
    """The file that was made, and the interfaces that it imports."""
    project = read_project(folder)
    module = within(_START_SECONDS_MAX, project, lambda: load(project))
    try:
        role = Guest(module).role
    except TypeError as error:
        raise ProjectError(f"{project.entry.name}: {error}") from None
    # The log is always granted, and `print` writes there.
    imports = sorted({"log", *wanted(project)})
    file = (out or project.folder / f"{project.name}.wasm").resolve()
    with tempfile.TemporaryDirectory(prefix="slipswitch-build-") as temporary:
        made = _componentize(project, role, imports, Path(temporary))
        # A router that watches the folder never sees half a file.
        aside = file.with_name(f".{file.name}.{os.getpid()}")
        aside.write_bytes(made.read_bytes())
        aside.replace(file)
    return file, imports


def _componentize(project: Project, role: str, imports: list[str], folder: Path) -> Path:
    class_name = "".join(word.capitalize() for word in role.split("_"))
    about = f"{project.name!r}, {project.version!r}, {project.description!r}"
    (folder / "slipswitch_start.py").write_text(
        "from slipswitch import _prelude\n_prelude.install()\n"
        f"import {project.module} as module\n"
        "from slipswitch._component import make\n"
        f"Plugin, {class_name} = make(module, {about})\n"
        "_prelude.seal()\n"
    )
    names = "".join(f"  import {name};\n" for name in imports)
    world = f"\nworld this-plugin {{\n{names}  export plugin;\n  export {_INTERFACES[role]};\n}}\n"
    (folder / "plugin.wit").write_text(_contract(project).read_text() + world)
    made = folder / "made.wasm"
    command = [str(_tool()), "-q", "-d", str(folder / "plugin.wit"), "-w", "this-plugin", "componentize", "--stub-wasi"]
    for path in (folder, project.sources, _HERE.parent, Path(sysconfig.get_path("purelib"))):
        command += ["-p", str(path)]
    command += ["-o", str(made), "slipswitch_start"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ENGINE_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise ProjectError(f"{project.entry.name}: {endless(_ENGINE_SECONDS_MAX)}") from None
    if result.returncode != 0 or not made.is_file():
        raise ProjectError(_told(result.stderr + result.stdout, project))
    return made


def _told(said: str, project: Project) -> str:
    """The exception in what the tool said: the rest is its own frames."""
    lines = [line.strip() for line in said.splitlines()]
    errors = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception|Interrupt|InAPlugin)\b", line)]
    places = [line for line in lines if f"{project.module}.py" in line and line.startswith("File")]
    if not errors:
        return f"componentize-py failed:\n{said.strip()}"
    place = re.search(r"line (\d+)", places[-1]) if places else None
    at = f"{project.entry.name}:{place[1]}" if place else project.entry.name
    mend = ""
    if re.match(r"(ImportError|ModuleNotFoundError)\b", errors[-1]):
        mend = "; a plugin takes packages of pure Python alone, and none with compiled code"
    return f"{at}: {errors[-1]} (while the plugin started, as it does when it is built){mend}"


def _tool() -> Path:
    tool = Path(sysconfig.get_path("scripts")) / "componentize-py"
    if not tool.exists():
        raise ProjectError(f"{tool} is missing: run `pip install -r requirements.txt` in the plugin's virtual environment")
    return tool


def _contract(project: Project) -> Path:
    """The contract: beside the SDK in its repository and in a plugin's own copy, inside it in a package."""
    places = [
        _HERE / "plugin.wit",
        _HERE.parents[2] / "wit" / "plugin.wit",
        project.folder / ".slipswitch" / "sdk" / "wit" / "plugin.wit",
    ]
    for place in places:
        if place.is_file():
            return place
    raise ProjectError(f"the contract is missing: none of {', '.join(map(str, places))} is there")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m slipswitch.build", description="Builds a plugin.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="the project [default: here]")
    parser.add_argument("--out", type=Path, help="the file to write [default: <name>.wasm in the project]")
    arguments = parser.parse_args()
    try:
        file, imports = build(arguments.folder, arguments.out)
    except ProjectError as error:
        sys.exit(f"error: {error}")
    asks = [name for name in imports if name != "log"]
    grants = f"needs a rule with `grant: [{', '.join(asks)}]`" if asks else "needs no grant"
    print(f"{os.path.relpath(file)}: {file.stat().st_size / 2**20:.1f} MiB, {grants}")


if __name__ == "__main__":
    main()
