"""Lanes run a function on several batches at once, on a share of the cores each."""

from __future__ import annotations

import threading

import pytest
import torch

from deconvwidgets.compute.lanes import Lanes

CPU = torch.device("cpu")


def test_results_come_in_the_order_of_the_batches_from_lanes_that_run_at_the_same_time():
    both, cores, consumer = threading.Barrier(2, timeout=20), torch.get_num_threads(), set()

    def work(number):
        both.wait()  # fails unless two lanes are in here
        return number * number, torch.get_num_threads()

    found = []
    for result in Lanes(CPU, count=2).results(range(6), work):
        found.append(result)
        consumer.add(torch.get_num_threads())
    assert [(batch, result[0]) for batch, result in found] == [(number, number * number) for number in range(6)]
    assert {result[1] for _, result in found} == consumer == {max(1, cores // 2)}
    assert torch.get_num_threads() == cores


def test_threads_that_start_later_keep_their_cores():
    cores, found = torch.get_num_threads(), []
    list(Lanes(CPU, count=2).results(range(4), lambda number: torch.ones(2) * number))
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), found) == (cores, [cores])


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_arrives_and_lanes_end(count):
    def work(number):
        if number == 3:
            raise ValueError("batch 3")
        return number

    found, before = [], set(threading.enumerate())
    with pytest.raises(ValueError, match="batch 3"):
        found.extend(batch for batch, _ in Lanes(CPU, count=count).results(range(1000), work))
    assert set(threading.enumerate()) <= before  # threads of other tests may end
    results = Lanes(CPU, count=count).results(iter(range(1000)), lambda number: number)
    assert next(results) == (0, 0)
    results.close()
    assert set(threading.enumerate()) <= before  # threads of other tests may end


def test_there_is_one_lane_on_a_gpu():
    lanes = Lanes(torch.device("cuda"), count=4)
    here = threading.current_thread()
    assert [result is here for _, result in lanes.results(range(3), lambda _: threading.current_thread())] == [True] * 3
