"""A Jupyter Server extension that keeps JupyterLab's page quiet: no announcements of its own, and no stir at every message of a widget.

A new user's JupyterLab asks whether it may fetch news, in a box over the notebook. That is a question between the user and their own
JupyterLab, so `deconvwidgets lab` neither asks nor answers it: its server's pages leave the plugin out, and no setting is written.

And JupyterLab lights up its sign for a busy kernel, and draws its bars anew, whenever a widget asks something: twice for each place that a
dragged patch comes to, and before the answer is drawn. A widget says itself that it waits, so the sign is left to running cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"
WIDGETS_MESSAGES = "comm_msg"  # as the Jupyter protocol calls them

Hook = Callable[[Any, dict[str, Any]], dict[str, Any]]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "deconvwidgets.lab.lab_page_config"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    settings = serverapp.web_app.settings
    settings["page_config_hook"] = quieted(settings.get("page_config_hook"))


def quieted(before: Hook | None = None) -> Hook:
    """A hook for jupyterlab_server's `page_config_hook` that quiets the page, after what the hook `before` does.

    Only the page's own list of messages that leave the kernel's sign alone is changed: the server still counts widgets' messages as use.
    """

    def hook(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        config = page_config if before is None else before(handler, page_config)
        return {
            **config,
            "disabledExtensions": _with(config.get("disabledExtensions", []), ANNOUNCEMENTS),
            "untracked_message_types": _with(config.get("untracked_message_types", []), WIDGETS_MESSAGES),
        }

    return hook


def _with(names: list[str], name: str) -> list[str]:
    return [*(one for one in names if one != name), name]
