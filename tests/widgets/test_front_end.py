"""The front end's pure parts, run by Node, and how its files become one module."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from deconvwidgets.instruments.layers.widget.explorer import MODULES, LayerExplorer
from deconvwidgets.instruments.occlusion.widget.explorer import MODULES as OCCLUSION_MODULES
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.transfer.widget.panel import MODULES as PANEL_MODULES
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from deconvwidgets.widgets.front_end import assemble, read_static

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")
BUNDLES = {"LayerExplorer": MODULES, "TransferPanel": PANEL_MODULES, "OcclusionExplorer": OCCLUSION_MODULES}
JS_TESTS = sorted(Path(__file__).with_name("js").glob("*.test.mjs"))


def run_node(*arguments: str) -> str:
    with as_file(files("deconvwidgets.widgets") / "static") as static:
        environment = {**os.environ, "DECONVWIDGETS_STATIC": str(static)}
        done = subprocess.run([str(NODE), *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_node
@pytest.mark.parametrize("path", JS_TESTS, ids=lambda path: path.name)
def test_javascript(path: Path) -> None:
    assert re.search(r"^# pass [1-9]", run_node("--test", "--test-reporter=tap", str(path)), re.MULTILINE)


@needs_node
@pytest.mark.parametrize("modules", BUNDLES.values(), ids=BUNDLES)
def test_the_assembled_module_parses(modules: tuple[str, ...], tmp_path: Path) -> None:
    module = tmp_path / "widget.mjs"
    module.write_text(assemble(modules), encoding="utf-8")
    run_node("--check", str(module))


def test_every_file_belongs_to_a_widget() -> None:
    static = files("deconvwidgets.widgets") / "static"
    assembled = {name for modules in BUNDLES.values() for name in modules}
    assert {item.name for item in static.iterdir() if item.name.endswith(".js")} == assembled


@pytest.mark.parametrize("modules", BUNDLES.values(), ids=BUNDLES)
def test_every_file_is_assembled_after_those_it_imports(modules: tuple[str, ...]) -> None:
    for place, name in enumerate(modules):
        imported = re.findall(r'^import [^;]*from "\./([\w-]+\.js)";$', read_static(name), re.MULTILINE)
        assert set(imported) <= set(modules[:place]), name


@pytest.mark.parametrize("modules", BUNDLES.values(), ids=BUNDLES)
def test_one_scope_holds_all_names_once(modules: tuple[str, ...]) -> None:
    module = assemble(modules)
    names = re.findall(r"^(?:async )?(?:const|let|function|class) (\w+)", module, re.MULTILINE)
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert not re.search(r"^import ", module, re.MULTILINE), "a blob cannot import its neighbours"
    assert re.findall(r"^export .*", module, re.MULTILINE) == ["export default { render };"]


def test_nothing_is_fetched_from_elsewhere() -> None:
    for text in (*(assemble(modules) for modules in BUNDLES.values()), LayerExplorer._css, TransferPanel._css, OcclusionExplorer._css):
        assert not re.search(r"https?://|@import|url\(", str(text))
