"""Widgets in a kernel with subshells: requests are answered in the subshell, traits are set in the main thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

CREATE_EXPLORER = """
import sys, threading
sys.path.insert(0, {tests!r})
from fake_service import FakeService
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
explorer = LayerExplorer(FakeService())
threads = []
explorer.observe(lambda change: threads.append(threading.current_thread() is threading.main_thread()), "state")
print(explorer.model_id)
"""


@pytest.fixture
def client() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(client: BlockingKernelClient, code: str) -> str:
    output: list[str] = []
    client.execute_interactive(code, timeout=120, output_hook=lambda message: output.append(str(message["content"].get("text", ""))))
    return "".join(output).strip()


def new_subshell(client: BlockingKernelClient) -> str:
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    reply = client.get_control_msg(timeout=60)
    if "subshell_id" not in reply["content"]:
        pytest.skip("this kernel has no subshells")
    return str(reply["content"]["subshell_id"])


def send(client: BlockingKernelClient, subshell: str, model: str, data: dict[str, Any]) -> None:
    """Send a message of a widget to a subshell, as JupyterLab does."""
    message = client.session.msg("comm_msg", {"comm_id": model, "data": data})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)


def test_traits_are_set_in_the_main_thread(client: BlockingKernelClient) -> None:
    model = printed(client, CREATE_EXPLORER.format(tests=str(Path(__file__).parent)))
    subshell = new_subshell(client)
    send(client, subshell, model, {"method": "update", "state": {"state": {"layer": "conv2", "unit": 3}}, "buffer_paths": []})
    end = time.monotonic() + 60
    while (output := printed(client, "print(threads, explorer.state['layer'], explorer.state['unit'])")) != "[True] conv2 3":
        assert time.monotonic() < end, output
        time.sleep(0.1)


def test_requests_are_answered_while_a_cell_runs(client: BlockingKernelClient) -> None:
    model = printed(client, CREATE_EXPLORER.format(tests=str(Path(__file__).parent)))
    subshell = new_subshell(client)
    client.execute("import time; time.sleep(300)")
    send(client, subshell, model, {"method": "custom", "content": {"kind": "hello", "seq": 5, "client": "v"}})
    end = time.monotonic() + 120
    while time.monotonic() < end:
        answer = client.get_iopub_msg(timeout=120)
        if answer["msg_type"] == "comm_msg" and answer["content"]["data"].get("content", {}).get("seq") == 5:
            assert answer["content"]["data"]["content"]["overview"]["model"] == "fakenet"
            assert answer["parent_header"]["subshell_id"] == subshell
            return
    pytest.fail("the explorer waited for the running cell")
