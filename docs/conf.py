"""The configuration of the documentation. Build it with `sphinx-build -W docs docs/_build/html`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import deconvwidgets
from deconvwidgets.models.torchvision_import import import_torchvision

DOCS = Path(__file__).parent
TUTORIALS = DOCS / "tutorials"

import_torchvision()  # so that type hints which name torchvision can be resolved

# Sphinx reads sources below docs/ only. The notebooks are tests and the tour as well, so they stay where those look for them.
for notebook in sorted((DOCS.parent / "notebooks").glob("*.ipynb")):
    target = TUTORIALS / notebook.name
    if not target.exists() or target.read_bytes() != notebook.read_bytes():
        shutil.copyfile(notebook, target)
    os.utime(target, (notebook.stat().st_atime, notebook.stat().st_mtime))

project = "deconvwidgets"
author = "the deconvwidgets developers"
version = release = deconvwidgets.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
default_role = "py:obj"  # a name in a docstring links to its entry, if it has one

nb_execution_mode = "off"  # the notebooks are stored with their outputs, and nbval runs them
# A widget needs a kernel; its static picture does not.
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",  # the pages in decisions/ begin with the problem
    "ref.python",  # axes in the types of attributes, such as (photographs, units), are names of several attributes
]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give types, shapes and units
napoleon_numpy_docstring = True
napoleon_google_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = "deconvwidgets"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
