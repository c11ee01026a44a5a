"""An answer takes half of the cores of its own thread, and leaves every other thread's alone."""

from __future__ import annotations

from threading import Thread

import pytest
import torch

from deconvwidgets.service.cores import Cores


def test_half_of_the_cores_and_then_all_again():
    before = torch.get_num_threads()
    cores = Cores()
    with cores.half():
        assert torch.get_num_threads() == max(1, before // 2)
        with cores.half():
            assert torch.get_num_threads() >= 1
        elsewhere: list[int] = []
        thread = Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    assert elsewhere == [before], "a thread that begins meanwhile has all of them"
    assert torch.get_num_threads() == before


def test_a_failure_gives_them_back():
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="no"), Cores().half():
        raise ValueError("no")
    assert torch.get_num_threads() == before
