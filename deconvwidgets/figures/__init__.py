"""The paper's figures as files: PNG, SVG and standalone HTML, from records and arrays; nothing is computed here."""

from __future__ import annotations

from deconvwidgets.figures.render import render
from deconvwidgets.figures.sheet import FigureSheet, UnitPanel, choose_units

__all__ = ["FigureSheet", "UnitPanel", "choose_units", "render"]
