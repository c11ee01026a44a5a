"""Standalone HTML pages in light or dark mode, without external resources."""

from __future__ import annotations

from html import escape

from deconvwidgets.figures.characters import replace_invalid
from deconvwidgets.figures.drawing import DARK, LIGHT, Tone
from deconvwidgets.figures.vector import FONTS


def html_page(title: str, subtitle: str, body: str, caption: str, style: str, script: str = "") -> bytes:
    """Return a standalone HTML page.

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
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""
    return replace_invalid(page).encode()


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
