"""Tracing models in several threads at once. torch.fx patches nn.Module for the whole process while it traces."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch
from torch import nn

from deconvwidgets.engine.tracing import trace_model

THREADS = 6


def test_many_threads_trace_at_once() -> None:
    originals = (nn.Module.__call__, nn.Module.__getattr__)
    models = [nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(20 + number))).eval() for number in range(THREADS)]
    batch, barrier = torch.randn(1, 3, 8, 8), Barrier(THREADS)

    def trace_repeatedly(model: nn.Sequential) -> list[int]:
        expected, lengths = model(batch), []
        for _ in range(20):
            barrier.wait(timeout=60)
            lengths.append(len(trace_model(model, batch.clone(), expected).calls))
        return lengths

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads are switched while they trace
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            futures = [pool.submit(trace_repeatedly, model) for model in models]
            assert [future.result() for future in futures] == [[20 + number] * 20 for number in range(THREADS)]
        assert (nn.Module.__call__, nn.Module.__getattr__) == originals
    finally:
        sys.setswitchinterval(interval)
        nn.Module.__call__, nn.Module.__getattr__ = originals  # type: ignore[method-assign]
