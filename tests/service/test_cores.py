"""Cores.half reduces the number of torch's threads, for the calling thread only."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
import torch

from deconvwidgets.service.cores import Cores


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_half_of_the_cores_are_used_by_one_thread():
    cores = Cores()
    with cores.half():
        assert torch.get_num_threads() == 2
        with cores.half():
            assert torch.get_num_threads() == 1
        other_thread: list[int] = []
        thread = Thread(target=lambda: other_thread.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    assert other_thread == [4], "other threads use all cores"
    assert torch.get_num_threads() == 4


def test_cores_are_restored_after_an_error():
    with pytest.raises(ValueError, match="no"), Cores().half():
        raise ValueError("no")
    assert torch.get_num_threads() == 4
