"""A method that is called again and again, in a thread that runs only while it is needed."""

import gc
import threading

import pytest

from deconvwidgets.service.watch import Watch

LONG = 60.0  # seconds between two looks: longer than a test


class Folder:
    """Counts how often it is looked at."""

    def __init__(self, interval, goes_on=True):
        self.looks, self.goes_on, self.looked = 0, goes_on, threading.Semaphore(0)
        self.watch = Watch(self.look, interval)

    def look(self):
        self.looks += 1
        self.looked.release()
        return self.goes_on


@pytest.fixture
def end_of_watches():
    """Return a function that waits until the threads of this test's watches have ended."""
    others = set(threading.enumerate())

    def wait():
        for thread in set(threading.enumerate()) - others:
            if thread.name == "deconvwidgets watch":
                thread.join(10)
                assert not thread.is_alive()

    return wait


def test_it_looks_at_once_and_again_on_request(end_of_watches):
    folder = Folder(LONG)
    for _ in range(3):
        folder.watch.begin()
        assert folder.looked.acquire(timeout=10)
    folder.watch.stop()
    end_of_watches()


def test_it_ends_when_nobody_listens_and_begins_again(end_of_watches):
    folder = Folder(0.01, goes_on=False)
    for _ in range(2):
        folder.watch.begin()
        assert folder.looked.acquire(timeout=10)
        end_of_watches()
    assert folder.looks == 2


@pytest.mark.parametrize("end", ["stop", "collected"])
def test_a_thread_that_waits_ends(end, end_of_watches):
    folder = Folder(LONG if end == "stop" else 0.01)
    folder.watch.begin()
    assert folder.looked.acquire(timeout=10)
    if end == "stop":
        folder.watch.stop()
        end_of_watches()
        folder.watch.begin()  # it was ended for good
        assert folder.looks == 1
    del folder
    gc.collect()
    end_of_watches()
