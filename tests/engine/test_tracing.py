"""Following models from many threads at once: torch.fx patches nn.Module for the whole process meanwhile."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch
from torch import nn

from deconvwidgets.engine.tracing import follow

THREADS = 6


def test_many_threads_follow_at_once() -> None:
    patched = (nn.Module.__call__, nn.Module.__getattr__)
    models = [nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(20 + number))).eval() for number in range(THREADS)]
    batch, together = torch.randn(1, 3, 8, 8), Barrier(THREADS)

    def follow_again(model: nn.Sequential) -> list[int]:
        own, lengths = model(batch), []
        for _ in range(20):
            together.wait(timeout=60)
            lengths.append(len(follow(model, batch.clone(), own).calls))
        return lengths

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads meet in the middle of it
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(follow_again, model) for model in models]
            assert [one.result() for one in running] == [[20 + number] * 20 for number in range(THREADS)]
        assert (nn.Module.__call__, nn.Module.__getattr__) == patched
    finally:
        sys.setswitchinterval(interval)
        nn.Module.__call__, nn.Module.__getattr__ = patched  # type: ignore[method-assign]
