"""What several tests of the service need."""

import pytest

from deconvwidgets.service.worker import Job


class ByHand:
    """An executor whose jobs run when the test says so."""

    def __init__(self):
        self.jobs = []

    def submit(self, name, work, on_failure):
        self.jobs.append(Job(name, work, on_failure))
        return self.jobs[-1]

    def close(self):
        for job in self.jobs:
            job.cancel()


@pytest.fixture
def by_hand():
    """ByHand, new for each test."""
    return ByHand()
