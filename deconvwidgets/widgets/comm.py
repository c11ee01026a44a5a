"""A comm whose messages are answered in whichever shell the browser sent them to."""

from __future__ import annotations

from typing import Any

import comm
from comm.base_comm import BaseComm


class AnyShellComm(BaseComm):
    """Stands in for an open comm: publishes through it, and receives in its place.

    JupyterLab sends a widget's messages to a subshell, a thread of the kernel's, so that they need not wait for a running cell. But
    ipykernel 7 hands them on to the shell that last published on the comm, for callbacks that must run beside what they touch: for
    a widget made in a cell that is the main shell, where they wait. A model service may be asked from any thread, so its
    widget takes messages where they were sent. Elsewhere (one shell only) nothing changes.
    """

    def __init__(self, opened: BaseComm) -> None:
        self._opened = opened
        super().__init__(opened.target_name, comm_id=opened.comm_id, primary=False, target_module=opened.target_module, topic=opened.topic)
        comm.get_comm_manager().register_comm(self)  # the manager keeps one comm for an id: from now on this one receives

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any) -> None:
        """Publish through the opened comm."""
        self._opened.publish_msg(msg_type, data=data, metadata=metadata, buffers=buffers, **keys)

    def close(self, data: Any = None, metadata: Any = None, buffers: Any = None, deleting: bool = False) -> None:
        """Close the opened comm, and with it this one."""
        self._closed = True
        self._opened.close(data=data, metadata=metadata, buffers=buffers, deleting=deleting)
