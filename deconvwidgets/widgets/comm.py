"""A widget's comm: requests are answered in the thread of the shell that they were sent to, trait updates in the main thread."""

from __future__ import annotations

import threading
from contextvars import copy_context
from inspect import ismethod
from typing import Any
from weakref import WeakMethod

import comm
from comm.base_comm import BaseComm
from IPython import get_ipython


class SubshellComm(BaseComm):
    """Takes the place of an open comm: it publishes through that comm, and receives its messages.

    JupyterLab sends a widget's messages to a subshell, a thread of the kernel, so that they need not wait for the running cell. ipykernel 7
    passes them on to the shell that published last on the comm. For a widget that was created in a cell, this is the main shell, where
    they would wait for the running cell. A model service may be called from any thread, so the requests of its widgets
    (custom messages) are answered in the thread that receives them. Updates of traits are passed to the main thread, because
    traitlets and the observers of users are not thread-safe. Without subshells nothing changes.

    The message callback is held weakly, so that the comm does not keep its widget alive.
    """

    def __init__(self, opened: BaseComm) -> None:
        self._opened = opened
        opened.on_msg(None)
        super().__init__(opened.target_name, comm_id=opened.comm_id, primary=False, target_module=opened.target_module, topic=opened.topic)
        comm.get_comm_manager().register_comm(self)  # the manager has one comm per id: this one receives from now on

    def on_msg(self, callback: Any) -> None:
        """Register the callback for messages; a bound method is held weakly."""
        if not ismethod(callback):
            super().on_msg(callback)
            return
        method = WeakMethod(callback)

        def call(message: Any) -> None:
            alive = method()
            if alive is not None:
                alive(message)

        super().on_msg(call)

    def handle_msg(self, msg: Any) -> None:
        """Handle a message: a request here, anything else in the main thread."""
        data = msg.get("content", {}).get("data", {})
        loop = None if threading.current_thread() is threading.main_thread() else _main_loop()
        if loop is None or data.get("method") == "custom":
            super().handle_msg(msg)
        else:
            loop.add_callback(copy_context().run, super().handle_msg, msg)  # in the context of the message, to which replies belong

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any) -> None:
        """Publish through the opened comm."""
        self._opened.publish_msg(msg_type, data=data, metadata=metadata, buffers=buffers, **keys)

    def close(self, data: Any = None, metadata: Any = None, buffers: Any = None, deleting: bool = False) -> None:
        """Close the opened comm, and with it this one."""
        self._closed = True
        self._opened.close(data=data, metadata=metadata, buffers=buffers, deleting=deleting)


def _main_loop() -> Any:
    """Return the event loop of the kernel's main thread; None outside a kernel."""
    return getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
