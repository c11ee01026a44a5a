"""Standalone HTML pages in light or dark mode, without external resources."""

from __future__ import annotations

import json
import math
from html import escape
from typing import Any

from deconvwidgets.figures.characters import replace_invalid
from deconvwidgets.figures.drawing import DARK, LIGHT, Tone
from deconvwidgets.figures.vector import FONTS


def html_page(title: str, subtitle: str, body: str, caption: str, style: str, script: str = "", data: object = None) -> bytes:
    """Return a standalone HTML page. It may not load anything: its content security policy refuses every request.

    Parameters
    ----------
    title, subtitle, caption : str
        Plain text.
    body : str
        HTML.
    style : str
        CSS.
    script : str
        JavaScript.
    data : object
        Values for the script, as JSON in the element with the id "data": dicts, lists, texts and numbers. NaN and infinity become null.

    Returns
    -------
    bytes
        The page in UTF-8. Invalid characters are replaced.
    """
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
:root {{ {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
{_FRAME}
{style}
</style>
</head>
<body>
<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>
{body}
<footer><p>{escape(caption)}</p></footer>
{"" if data is None else f'<script type="application/json" id="data">{_json(data)}</script>'}
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""
    return replace_invalid(page).encode()


def _json(data: object) -> str:
    """Return JSON that can stand in a script element: "<" is escaped, so that no text can end the element."""
    text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    """Return a value with None in place of NaN and infinity, and without invalid characters."""
    if isinstance(value, str):
        return replace_invalid(value)
    if isinstance(value, dict):
        return {replace_invalid(str(key)): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_FRAME = (
    """
body { margin: 0 auto; padding: 28px; max-width: 1760px; background: var(--paper); color: var(--ink); font: 14px/1.45 """
    + FONTS
    + """; }
header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; margin-bottom: 16px; }
h1 { margin: 0; font-size: 20px; font-weight: 600; }
header p, footer p { margin: 0; color: var(--quiet); }
footer p { margin-top: 20px; max-width: 75em; font-size: 13px; }
"""
)


def _variables(palette: dict[Tone, str]) -> str:
    return "".join(f"--{tone}:{colour};" for tone, colour in palette.items())
