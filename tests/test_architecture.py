"""The rules of the package's structure: who may import whom, what stays unloaded, and how long files and functions may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deconvwidgets
from deconvwidgets.engine.ops import REGISTRY

PACKAGE = Path(deconvwidgets.__file__).parent
FILE_LINES = 300
FUNCTION_LINES = 40
LONGER_FILES: dict[str, str] = {}  # file -> why it is longer
LONGER_FUNCTIONS: dict[str, str] = {}  # "file:function" -> why it is longer

# A part imports only parts that stand before it.
PARTS = (
    "errors", "arguments", "paths", "strict_json", "rgb", "atomic_file", "child_process", "records", "display", "figures", "assets",
    "engine", "models", "images", "checkpoints", "compute", "index", "service", "widgets", "instruments", "side_by_side_widgets",
    "local_service", "remote", "lab",
    "cli_options", "cli_output", "cli_serve", "cli_prepare", "cli_model_options", "cli_index", "cli_freeze", "cli_check", "cli",
    "__main__",
)  # fmt: skip
# Exceptions to that order: a subset of the files of a part, and what they may import beside it.
INSTRUMENT_PAIRS = {  # (instrument, another one that it may import)
    ("occlusion", "layers"),
    ("transfer", "layers"),
    ("layers", "contributions"),
    ("occlusion", "contributions"),
    ("evolution", "layers"),
    ("ablation", "training"),
    ("comparison", "layers"),
    ("diagnosis", "layers"),
    ("diagnosis", "evaluation"),  # the accuracy of an arm
    ("diagnosis", "occlusion"),  # uploads images as it does
    ("comparison", "occlusion"),
    ("invariance", "occlusion"),  # lists and uploads images as it does
}
ROLES = ("defaults", "records", "compute", "figures", "service", "widget")  # in an instrument, a role imports only those before it
FRONT_END_ROLES = {"widget", "widgets"}
# What a widget may import of the platform.
FOR_WIDGETS = {"errors", "arguments", "paths", "rgb", "atomic_file", "records", "display", "widgets", "service.protocol"}
HOMES = {"ipywidgets": FRONT_END_ROLES, "anywidget": FRONT_END_ROLES, "plotly": FRONT_END_ROLES | {"figures"}}
WITHOUT_TORCH = FRONT_END_ROLES | {
    "figures", "records", "defaults", "protocol", "errors", "arguments", "paths", "strict_json", "rgb", "atomic_file", "display",
    "cli_options", "cli_output", "cli_prepare", "cli_model_options", "cli_index", "cli_freeze", "cli_check", "cli", "child_process",
    "__main__", "",
}  # fmt: skip


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the package as (dotted name without the package, file)."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[0] == "tour":  # the notebooks, in an installed package
            continue
        yield ".".join(part for part in parts if part != "__init__"), path


def part_of(name: str) -> str:
    """The part of the package that a module belongs to: its first folder or file."""
    return name.split(".")[0]


def role_of(name: str) -> str:
    """The role that a module's place gives it: "widget", "records", "protocol", ..., else its part."""
    steps = name.split(".")
    if "protocol" in steps and "service" in steps:
        return "protocol"
    if steps[0] == "instruments" and len(steps) > 2:
        return steps[2]
    return steps[0]


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
    """The module of ours that an import reaches, also through the lazy public names, without the package's name; None for others."""
    head, _, rest = imported.partition(".")
    if head != "deconvwidgets":
        return None
    home = deconvwidgets._HOMES.get(rest)
    return home.partition(".")[2] if home else rest


def forbidden(name: str, target: str) -> str | None:
    """Why the module `name` may not import the module `target`; None if it may."""
    part, other = part_of(name), part_of(target)
    if other.startswith("__") and other != "__main__":
        return None
    if part == "":
        return "the package's own module loads names lazily"
    if other not in PARTS:
        return None  # a name of a module, not a module
    if PARTS.index(other) > PARTS.index(part):
        return f"{part} may not import {other}, which stands above it"
    if role_of(name) in FRONT_END_ROLES:
        return forbidden_for_a_widget(name, target)
    if part == "instruments" and other == "widgets":
        return f"an instrument's {role_of(name)} may not import widgets"
    return forbidden_in_an_instrument(name, target) if part == other == "instruments" else None


def forbidden_for_a_widget(name: str, target: str) -> str | None:
    if part_of(target) == "instruments":
        if role_of(target) in ("records", "defaults", "protocol", "widget") or role_of(target) not in ROLES:  # a module counts as records
            return forbidden_in_an_instrument(name, target)
        return f"a widget may import an instrument's records and protocol, not its {role_of(target)}"
    reached = ".".join(target.split(".")[:2]) if part_of(target) == "service" else part_of(target)
    return None if reached in FOR_WIDGETS else f"a widget may not import {reached}"


def forbidden_in_an_instrument(name: str, target: str) -> str | None:
    own, other = name.split(".")[1], target.split(".")[1]
    if own != other:
        return None if (own, other) in INSTRUMENT_PAIRS else f"the instrument {own} may not import {other}"
    roles = [step if step in ROLES else "records" for step in (name.split(".")[2], target.split(".")[2])]
    if ROLES.index(roles[1]) > ROLES.index(roles[0]):
        return f"an instrument's {roles[0]} may not import its {roles[1]}"
    return None


def import_violations(root: Path) -> list[str]:
    found = []
    for name, path in modules(root):
        if part_of(name) not in (*PARTS, ""):
            found.append(f"{path.relative_to(root)}: {part_of(name)!r} is no part of the package; add it to this test if it should be")
            continue
        for line, imported in imports(name, path):
            where = f"{path.relative_to(root)}:{line}"
            library, target = imported.split(".")[0], own_target(imported)
            reason = None if target is None else forbidden(name, target)
            if reason is not None:
                found.append(f"{where}: {reason}")
            if library in ("torch", "torchvision") and role_of(name) in WITHOUT_TORCH:
                found.append(f"{where}: {role_of(name)} may not import {library}")
            if role_of(name) not in HOMES.get(library, {role_of(name)}):
                found.append(f"{where}: {library} belongs to {sorted(HOMES[library])}")
    return found


def length_violations(root: Path) -> list[str]:
    found = []
    for _, path in modules(root):
        file, source = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > FILE_LINES and file not in LONGER_FILES:
            found.append(f"{file}: {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = body_lines(node)
                if lines > FUNCTION_LINES and f"{file}:{node.name}" not in LONGER_FUNCTIONS:
                    found.append(f"{file}:{node.lineno}: {node.name} has {lines} lines")
    return found


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        doc = node.body[0]
        lines -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
    return lines


def state_violations(root: Path) -> list[str]:
    """`global`, a broad `except` that swallows, and modules named utils."""
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
                # handler is right there, if it raises in its turn, passes on what it caught, or logs it with its traceback.
                passed_on = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                logged = any(isinstance(inner, ast.Attribute) and inner.attr == "exception" for inner in ast.walk(node))
                reported = node.name in passed_on or logged or any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if caught in ("everything", "BaseException", "Exception") and not reported:
                    found.append(f"{path.relative_to(root)}:{node.lineno}: catches {caught}")
    return found


def test_imports_go_only_downwards() -> None:
    assert import_violations(PACKAGE) == []


def test_files_and_functions_stay_short() -> None:
    assert length_violations(PACKAGE) == []


def test_no_global_state_and_no_broad_except() -> None:
    assert state_violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("instruments/layers/widget/explorer.py", "from deconvwidgets.local_service import LocalModelService"),
        ("instruments/layers/widget/explorer.py", "def f():\n    import torch"),
        ("instruments/layers/widget/explorer.py", "from deconvwidgets import load_model"),
        ("instruments/layers/widget/explorer.py", "from deconvwidgets.instruments.layers.service.api import LayersApi"),
        ("instruments/layers/widget/explorer.py", "from deconvwidgets.engine.tracing import trace"),
        ("instruments/layers/widget/explorer.py", "from deconvwidgets.instruments.occlusion.records import OcclusionMaps"),
        ("instruments/occlusion/compute/occlude.py", "from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService"),
        ("instruments/occlusion/compute/occlude.py", "from deconvwidgets.instruments.transfer.records import HeadReport"),
        ("instruments/occlusion/compute/occlude.py", "import ipywidgets"),
        ("instruments/occlusion/service/api.py", "from deconvwidgets.widgets.files import mime_type"),
        ("instruments/occlusion/service/protocol.py", "import torch.nn as nn"),
        ("instruments/occlusion/records.py", "from torch import Tensor"),
        ("widgets/explorer.py", "from deconvwidgets.service.context import ServiceContext"),
        ("widgets/explorer.py", "from deconvwidgets.instruments.layers.records import UnitTable"),
        ("engine/graph.py", "from deconvwidgets.models import zoo"),
        ("engine/graph.py", "from ..models.zoo import load_model"),
        ("models/zoo.py", "import deconvwidgets.compute.inputs"),
        ("service/protocol.py", "import torch.nn as nn"),
        ("service/context.py", "from deconvwidgets.instruments.layers.records import UnitTable"),
        ("records/layers.py", "from torch import Tensor"),
        ("figures/drawing.py", "from torchvision import transforms"),
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


@pytest.mark.parametrize(("names", "root"), [(LONGER_FILES, PACKAGE), (LONGER_FUNCTIONS, PACKAGE)])
def test_exceptions_are_needed(names: dict[str, str], root: Path) -> None:
    for name, reason in names.items():
        file, _, function = name.partition(":")
        source = (root / file).read_text(encoding="utf-8")
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        longest = max((body_lines(node) for node in nodes if node.name == function), default=0)
        assert reason
        assert longest > FUNCTION_LINES if function else source.count("\n") > FILE_LINES, name


LIGHT = {
    "import deconvwidgets": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly", "numpy", "PIL"),
    "import deconvwidgets.cli": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly", "jupyterlab"),
    "import deconvwidgets.records.overview, deconvwidgets.errors, deconvwidgets.service.protocol": (
        "torch",
        "ipywidgets",
        "anywidget",
        "plotly",
    ),
    **{
        f"import deconvwidgets.instruments.{name}.{module}": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly")
        for name in ("layers", "occlusion", "transfer", "evaluation", "evolution", "invariance")
        for module in ("records", "service.protocol", "figures.html")
    },
    "import deconvwidgets.instruments.comparison.records": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly", "pandas", "scipy"),
    "import deconvwidgets.display": ("torch", "torchvision", "ipywidgets", "anywidget", "plotly"),
    "import deconvwidgets.widgets; from deconvwidgets import LayerExplorer, OcclusionExplorer, TransferPanel": (
        "torch",
        "torchvision",
    ),
    "from deconvwidgets import InvarianceExplorer": ("torch", "torchvision"),
}


@pytest.mark.parametrize("statement", LIGHT)
def test_an_import_stays_light(statement: str) -> None:
    heavy = LIGHT[statement]
    script = f"{statement}\nimport sys\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def operations_in(node: ast.AST) -> int:
    """How many operations a literal lists: names of the registry, functions of ATen and torch.nn.functional, modules of torch.nn."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        words = node.value.split()
        return len(words) if len(words) > 2 and all(word in REGISTRY for word in words) else 0
    if not isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
        return 0
    elements = [*node.keys, *node.values] if isinstance(node, ast.Dict) else node.elts
    return sum(_is_operation(element) for element in elements if element is not None)


def _is_operation(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in REGISTRY and len(node.value) > 4
    text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
    is_module = text.startswith("nn.") and text not in ("nn.Module", "nn.Parameter")
    return is_module or text.startswith(("torch.ops.aten.", "F.", "torch.nn.functional."))


def test_only_the_registry_lists_operations() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, path in modules(PACKAGE)
        if name.startswith("engine") and name != "engine.ops"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if operations_in(node) > 2
    ]
    assert found == []


def test_float64_is_used_on_the_cpu_only() -> None:
    """Apple's MPS has no float64: a tensor is copied to the CPU before it is converted."""
    lines = [
        f"{name}:{number}: {line.strip()}"
        for name, path in modules(PACKAGE)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if ".double()" in line and ".cpu()" not in line.partition(".double()")[0]
    ]
    assert lines == []
