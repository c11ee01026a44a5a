"""Accessibility violations that axe-core finds on a page, and the sizes of its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.widgets.waiting import let_run

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
# JupyterLab's colours and font sizes
THEMES = {
    "light": "--jp-layout-color0: #fff; --jp-ui-font-color0: #000; --jp-brand-color1: #1976d2; --jp-error-color1: #d32f2f;",
    "dark": "--jp-layout-color0: #111; --jp-ui-font-color0: #fff; --jp-brand-color1: #2196f3; --jp-error-color1: #f44336;",
}
SIZES = "--jp-ui-font-size0: 0.83333em; --jp-ui-font-size1: 13px;"
# Returns the sizes of all visible text, with an example of each.
TEXT_SIZES = """() => {
  const sizes = {};
  const walker = document.createTreeWalker(document.querySelector('.dwx'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.data.trim() && element.checkVisibility()) sizes[parseFloat(getComputedStyle(element).fontSize).toFixed(2)] ??= node.data;
  }
  return sizes;
}"""


def set_theme(page: Page, theme: str) -> None:
    """Set a theme of JupyterLab."""
    page.add_style_tag(content=f"html {{ background: var(--jp-layout-color0); {SIZES} {THEMES[theme]} }}")
    page.evaluate("(theme) => document.documentElement.setAttribute('theme', theme)", theme)
    let_run(page, 100)  # a canvas reads its colours later


def violations(page: Page) -> list[str]:
    """Return the serious and critical violations, with the elements that have them."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; run npm ci in frontend/")
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE.read_text(encoding="utf-8") + ";null")
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run('.dwx')).violations")
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return [f"{violation['id']}: {node['target'][0]} {node['failureSummary']}" for violation in serious for node in violation["nodes"]]


def small_text(page: Page) -> dict[str, str]:
    """Return an example of text that is smaller than JupyterLab's small size, for each size."""
    sizes: dict[str, str] = page.evaluate(TEXT_SIZES)
    return {size: text for size, text in sizes.items() if float(size) < 10.8}
