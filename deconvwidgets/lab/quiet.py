"""A Jupyter Server extension that has JupyterLab's page come up without its own announcements.

A new user's JupyterLab asks whether it may fetch news, in a box over the notebook. That is a question between the user and their own
JupyterLab, so `deconvwidgets lab` neither asks nor answers it: its server's pages leave the plugin out, and no setting is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"

Hook = Callable[[Any, dict[str, Any]], dict[str, Any]]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "deconvwidgets.lab.quiet"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    settings = serverapp.web_app.settings
    settings["page_config_hook"] = without(ANNOUNCEMENTS, settings.get("page_config_hook"))


def without(plugin: str, before: Hook | None = None) -> Hook:
    """A hook for jupyterlab_server's `page_config_hook` that leaves `plugin` out of the page, after what the hook `before` does."""

    def hook(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        config = page_config if before is None else before(handler, page_config)
        disabled = [name for name in config.get("disabledExtensions", []) if name != plugin]
        return {**config, "disabledExtensions": [*disabled, plugin]}

    return hook
