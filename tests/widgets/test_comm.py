"""In a real kernel: what a browser sends to a subshell is answered there, while a cell runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

MAKE = """
import sys
sys.path.insert(0, {tests!r})
from fake_service import FakeService
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
explorer = LayerExplorer(FakeService())
print(explorer.model_id)
"""


@pytest.fixture
def client() -> Iterator[BlockingKernelClient]:
    manager, made = start_new_kernel()
    yield made
    made.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(client: BlockingKernelClient, code: str) -> str:
    said: list[str] = []
    client.execute_interactive(code, timeout=60, output_hook=lambda message: said.append(str(message["content"].get("text", ""))))
    return "".join(said).strip()


def new_subshell(client: BlockingKernelClient) -> str:
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    reply = client.get_control_msg(timeout=20)
    if "subshell_id" not in reply["content"]:
        pytest.skip("this kernel has no subshells")
    return str(reply["content"]["subshell_id"])


def test_a_view_is_answered_while_a_cell_runs(client: BlockingKernelClient) -> None:
    model = printed(client, MAKE.format(tests=str(Path(__file__).parent)))
    subshell = new_subshell(client)
    client.execute("import time; time.sleep(30)")
    content = {"kind": "hello", "seq": 5, "client": "v"}
    message = client.session.msg("comm_msg", {"comm_id": model, "data": {"method": "custom", "content": content}})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    end = time.monotonic() + 15
    while time.monotonic() < end:
        answer = client.get_iopub_msg(timeout=15)
        if answer["msg_type"] == "comm_msg" and answer["content"]["data"].get("content", {}).get("seq") == 5:
            assert answer["content"]["data"]["content"]["overview"]["model"] == "fakenet"
            assert answer["parent_header"]["subshell_id"] == subshell
            return
    pytest.fail("the explorer waited for the running cell")
