"""Scripts that do not close their service end without errors."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_script_without_close_ends_with_exit_code_0() -> None:
    script = "import deconvwidgets as dw\nprint(dw.LocalModelService.from_environment().wait().layers.top_activations('conv5', 3).count)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "9\n"), done.stderr
    assert "failure" not in done.stderr
    assert "terminate" not in done.stderr
