"""The front end as anywidget wants it: one ES module, assembled from plain source files.

anywidget loads a module from a blob, which cannot import its neighbours; the source files can, under Node and its tests. So
their imports of each other are dropped here and everything shares one scope: every top-level name must be declared once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

_IMPORT = re.compile(r"^import\s[^;]*?from\s+\"\./[\w-]+\.js\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


def read_static(name: str) -> str:
    """A file of the `static` folder as text."""
    return files("deconvwidgets.widgets").joinpath("static", name).read_text(encoding="utf-8")


def assemble(names: Sequence[str]) -> str:
    """The named modules as one, in this order: each after those it imports, the last with the default export."""
    parts = []
    for name in names:
        source = _IMPORT.sub("", read_static(name))
        parts.append(f"// {name}\n{_EXPORT.sub('', source)}")
    return "\n".join(parts)
