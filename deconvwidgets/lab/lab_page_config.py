"""A Jupyter Server extension that changes the page configuration of JupyterLab.

It disables the plugin that asks new users whether to fetch news, without changing a setting of the user.

It also adds comm messages to the message types that do not change the kernel status indicator. Otherwise JupyterLab updates the
indicator and redraws its toolbars twice for every message of a widget, before the reply is drawn. Widgets have their own indicator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"
COMM_MESSAGE = "comm_msg"  # the message type of widgets in the Jupyter protocol

Hook = Callable[[Any, dict[str, Any]], dict[str, Any]]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "deconvwidgets.lab.lab_page_config"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    settings = serverapp.web_app.settings
    settings["page_config_hook"] = page_config_hook(settings.get("page_config_hook"))


def page_config_hook(previous: Hook | None = None) -> Hook:
    """Return a `page_config_hook` for jupyterlab_server.

    Only the page is changed: the server still counts comm messages as kernel activity.

    Parameters
    ----------
    previous : callable, optional
        Another hook to call first.

    Returns
    -------
    callable
        The hook.
    """

    def hook(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        config = page_config if previous is None else previous(handler, page_config)
        return {
            **config,
            "disabledExtensions": _with(config.get("disabledExtensions", []), ANNOUNCEMENTS),
            "untracked_message_types": _with(config.get("untracked_message_types", []), COMM_MESSAGE),
        }

    return hook


def _with(names: list[str], added: str) -> list[str]:
    return [*(name for name in names if name != added), added]
