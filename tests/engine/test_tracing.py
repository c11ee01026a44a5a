"""Tracing in several threads at once. torch.export patches nn.Module for the whole process while it traces."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch
from torch import nn

from deconvwidgets.engine.tracing import trace_model

THREADS = 4


def test_many_threads_trace_at_once() -> None:
    originals = (nn.Module.__call__, nn.Module.__getattr__)
    models = [nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(5 + number))).eval() for number in range(THREADS)]
    barrier = Barrier(THREADS)

    def trace_repeatedly(model: nn.Sequential) -> list[int]:
        lengths = []
        for _ in range(5):
            barrier.wait(timeout=60)
            lengths.append(len(trace_model(model, (3, 8, 8)).calls))
        return lengths

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads are switched while they trace
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            futures = [pool.submit(trace_repeatedly, model) for model in models]
            assert [future.result() for future in futures] == [[5 + number] * 5 for number in range(THREADS)]
        assert (nn.Module.__call__, nn.Module.__getattr__) == originals
    finally:
        sys.setswitchinterval(interval)
        nn.Module.__call__, nn.Module.__getattr__ = originals  # type: ignore[method-assign]


def test_other_threads_run_a_model_while_it_is_traced() -> None:
    """The trace is made of a copy: the model's own parameters are never replaced by fake tensors, and no hook is added to it."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3)).eval()
    batch = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        expected = model(batch)
    ended = False

    def keep_running() -> int:
        runs = 0
        while not ended:
            with torch.no_grad():
                assert torch.equal(model(batch), expected)
            runs += 1
        return runs

    with ThreadPoolExecutor() as pool:
        future = pool.submit(keep_running)
        for _ in range(20):
            assert len(trace_model(model, (3, 16, 16)).calls) == 4
        ended = True
        assert future.result() > 20
