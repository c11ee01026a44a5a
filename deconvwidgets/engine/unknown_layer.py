"""The error of a name that no layer has."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from deconvwidgets.errors import LayerError


def unknown_layer(name: object, known: Sequence[str]) -> LayerError:
    """Return the error of a name that is not one of the known names, with the closest of them."""
    text = str(name)
    close = difflib.get_close_matches(text, known, n=4) or difflib.get_close_matches(text.lower(), known, n=4) or known[:6]
    return LayerError(
        f"The model has no layer '{text}'. Did you mean {', '.join(close)}? "
        "dw.engine.describe_layers(bundle.model, bundle.input_size) lists them all."
    )
