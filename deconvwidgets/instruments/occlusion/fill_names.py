"""The names of fills: what patches and windows show."""

from __future__ import annotations

from PIL import ImageColor


def named_fill(fill: str) -> str | None:
    """Return the canonical name of a fill: "gray", "mean", "blur", or a colour as "#rrggbb"; None if it is not a fill.

    Colours are those of Pillow ("#7f7f7f", "red", "rgb(127, 127, 127)"), in upper or lower case. "gray" (or "grey") is not a colour but 0
    after normalisation, the mean of the training images; the gray of CSS is "#808080".
    """
    name = "gray" if fill.lower() == "grey" else fill.lower()
    if name in ("gray", "mean", "blur"):
        return name
    try:
        colour = ImageColor.getrgb(name)
    except ValueError:
        return None
    if len(colour) != 3 or not all(0 <= value <= 255 for value in colour):  # with opacity, or "rgb(300, 0, 0)"
        return None
    return "#{:02x}{:02x}{:02x}".format(*colour)
