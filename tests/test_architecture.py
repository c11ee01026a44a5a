"""The house rules that no linter knows: who may import whom, how long things may be, and what stays unloaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deconvwidgets

PACKAGE = Path(deconvwidgets.__file__).parent
FILE_LINES = 380
FUNCTION_LINES = 50

EVERYONE = {"records", "transfer_records", "occlusion_records", "one_line", "errors", "display", "class_names", "occlusion_defaults"}
TRACE = {"tracing", "digests"}  # what engine and data, which never see each other, both know of a model
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),  # deconvwidgets/__init__.py: names load lazily
    "one_line": set(),
    "records": {"one_line"},
    "transfer_records": {"one_line", "records"},
    "occlusion_records": {"one_line", "records"},
    "errors": set(),
    "display": EVERYONE,
    "class_names": {"errors"},
    "occlusion_defaults": set(),
    "tracing": EVERYONE,
    "digests": {"tracing"} | EVERYONE,
    "engine": {"engine"} | TRACE | EVERYONE,
    "data": {"data"} | TRACE | EVERYONE,
    "analysis": {"analysis", "engine", "data"} | EVERYONE,
    "figures": {"figures", "service.protocol"} | EVERYONE,
    "service": {"service", "service.protocol", "analysis", "engine", "data", "figures"} | EVERYONE,
    "service.protocol": {"records", "transfer_records", "occlusion_records", "errors"},
    "widgets": {"widgets", "service.protocol"} | EVERYONE,
    "lab": {"lab", "engine", "data", "analysis", "figures", "service"} | EVERYONE,
    "__main__": {"cli"},
    "cli": {"lab", "engine", "data", "analysis", "figures", "service"} | EVERYONE,
}
WITHOUT_TORCH = {
    "", "one_line", "records", "transfer_records", "occlusion_records", "errors", "display", "class_names", "occlusion_defaults",
    "figures", "service.protocol", "widgets", "cli", "__main__",
}  # fmt: skip
FRONT_END_HOMES = {"ipywidgets": {"widgets"}, "anywidget": {"widgets"}, "plotly": {"widgets", "figures"}}


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the package as (dotted name without the package, file)."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def part_of(name: str) -> str:
    """The part of the house that a module belongs to."""
    return "service.protocol" if name == "service.protocol" else name.split(".")[0]


def imports(name: str, path: Path) -> Iterator[tuple[int, str]]:
    """Every import statement, wherever it stands, as (line, absolute dotted name)."""
    package = ["deconvwidgets", *name.split(".")] if name else ["deconvwidgets"]
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{source}.{alias.name}"


def own_target(imported: str) -> str | None:
    """The part that an import of ours reaches, through the lazy public names too; None for other people's."""
    head, _, rest = imported.partition(".")
    if head != "deconvwidgets":
        return None
    home = deconvwidgets._HOMES.get(rest)
    if home:
        rest = home.partition(".")[2]
    if rest.startswith("service.protocol"):
        return "service.protocol"
    return rest.split(".")[0]


def import_violations(root: Path) -> list[str]:
    found = []
    for name, path in modules(root):
        part = part_of(name)
        if part not in MAY_IMPORT:
            found.append(f"{path.relative_to(root)}: {part!r} is no part of the house; add it to this test if it should be")
            continue
        for line, imported in imports(name, path):
            where = f"{path.relative_to(root)}:{line}"
            library = imported.split(".")[0]
            target = own_target(imported)
            if target and target not in MAY_IMPORT[part] and not target.startswith("__"):
                found.append(f"{where}: {part} may not import {target}")
            if library in ("torch", "torchvision") and part in WITHOUT_TORCH:
                found.append(f"{where}: {part} may not import {library}")
            if part not in FRONT_END_HOMES.get(library, {part}):
                found.append(f"{where}: {library} belongs to {sorted(FRONT_END_HOMES[library])}")
    return found


def length_violations(root: Path) -> list[str]:
    found = []
    for _, path in modules(root):
        source = path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > FILE_LINES:
            found.append(f"{path.relative_to(root)}: {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    doc = node.body[0]
                    lines -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
                if lines > FUNCTION_LINES:
                    found.append(f"{path.relative_to(root)}:{node.lineno}: {node.name} has {lines} lines")
    return found


def state_violations(root: Path) -> list[str]:
    """`global`, a broad `except` that swallows, and drawers named utils."""
    found = []
    for name, path in modules(root):
        if name.split(".")[-1] in ("utils", "helpers", "common", "misc"):
            found.append(f"{path.relative_to(root)}: a module is named after its concept")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Global):
                found.append(f"{path.relative_to(root)}:{node.lineno}: global {', '.join(node.names)}")
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                # A foreign model's forward may raise anything, and an exception in a thread or a comm callback vanishes. A broad
                # handler is right there, if it raises in its turn, hands on what it caught, or logs it with its traceback.
                handed_on = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                logged = any(isinstance(inner, ast.Attribute) and inner.attr == "exception" for inner in ast.walk(node))
                reported = node.name in handed_on or logged or any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if caught in ("everything", "BaseException", "Exception") and not reported:
                    found.append(f"{path.relative_to(root)}:{node.lineno}: catches {caught}")
    return found


def test_imports_go_only_the_allowed_ways() -> None:
    assert import_violations(PACKAGE) == []


def test_files_and_functions_stay_short() -> None:
    assert length_violations(PACKAGE) == []


def test_no_global_state_and_no_broad_except() -> None:
    assert state_violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("widgets/explorer.py", "from deconvwidgets.local_service import LocalModelService"),
        ("widgets/explorer.py", "def f():\n    import torch"),
        ("widgets/explorer.py", "from deconvwidgets import load_model"),
        ("engine/graph.py", "from deconvwidgets.data import zoo"),
        ("engine/graph.py", "from ..data.zoo import load_model"),
        ("tracing.py", "from deconvwidgets.engine.graph import Graph"),
        ("widgets/explorer.py", "from deconvwidgets.engine.tracing import follow"),
        ("data/zoo.py", "import deconvwidgets.engine.graph"),
        ("analysis/occlusion.py", "from deconvwidgets.service.protocol import Rule"),
        ("analysis/occlusion.py", "import ipywidgets"),
        ("service/protocol.py", "import torch.nn as nn"),
        ("records.py", "from torch import Tensor"),
        ("figures.py", "from torchvision import transforms"),
        ("surprise.py", "import os"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code + "\n", encoding="utf-8")
    assert len(import_violations(tmp_path)) == 1


def test_length_and_state_violations_are_found(tmp_path: Path) -> None:
    (tmp_path / "utils.py").write_text("x = 1\n" * (FILE_LINES + 1), encoding="utf-8")
    body = "\n".join(f"    x{i} = {i}" for i in range(FUNCTION_LINES + 1))
    (tmp_path / "errors.py").write_text(f"def f():\n    global y\n{body}\ntry:\n    f()\nexcept Exception:\n    pass\n", encoding="utf-8")
    assert len(length_violations(tmp_path)) == 2
    assert len(state_violations(tmp_path)) == 3


LIGHT = {
    "import deconvwidgets": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly", "numpy", "PIL"),
    "import deconvwidgets.cli": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly", "jupyterlab"),
    "import deconvwidgets.records.layers, deconvwidgets.errors, deconvwidgets.service.protocol": (
        "torch",
        "ipywidgets",
        "anywidget",
        "plotly",
    ),
    "import deconvwidgets.figures": ("torch", "torchvision", "ipywidgets", "anywidget"),
    "import deconvwidgets.display": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly"),
    "import deconvwidgets.widgets; from deconvwidgets import LayerExplorer": ("torch", "torchvision"),
}


@pytest.mark.parametrize("statement", LIGHT)
def test_an_import_stays_light(statement: str) -> None:
    heavy = LIGHT[statement]
    script = f"{statement}\nimport sys\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
