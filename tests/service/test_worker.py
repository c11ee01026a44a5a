"""Long jobs: one after the other, cancellable, superseded, failures kept."""

import gc
import threading
import time
import weakref

import pytest

from deconvwidgets.errors import JobCancelledError, ModelError, ServiceError
from deconvwidgets.service.worker import SynchronousExecutor, Worker


@pytest.fixture(params=[Worker, SynchronousExecutor])
def executor(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.close()


def until_cancelled(job):
    while not job.cancelled:
        time.sleep(0.002)
    raise JobCancelledError("stopped")


def test_result_comes_back(executor):
    assert executor.submit("sum", lambda job: 2 + 3, pytest.fail).result(5) == 5


def test_failure_is_told_error_message_and_raised_to_whoever_asks(executor):
    told = []

    def fail(job):
        raise ModelError("the weights are missing")

    job = executor.submit("fail", fail, told.append)
    for _ in range(2):
        with pytest.raises(ModelError, match="weights are missing"):
            job.result(5)
    deadline = time.monotonic() + 5
    while not told and time.monotonic() < deadline:
        time.sleep(0.002)
    assert told == ["the weights are missing"]
    assert executor.submit("next", lambda job: "still working", pytest.fail).result(5) == "still working"


def test_unexpected_failure_names_its_type_and_is_logged(executor, caplog):
    told = []
    job = executor.submit("bug", lambda job: {}["x"], told.append)
    with pytest.raises(KeyError):
        job.result(5)
    executor.submit("after", lambda job: None, pytest.fail).result(5)
    assert told == ["KeyError: 'x'"]
    assert "Traceback" in caplog.text


def test_jobs_run_in_order_in_one_thread(worker):
    log = []

    def note(number):
        return lambda job: log.append((number, threading.get_ident()))

    jobs = [worker.submit(f"job {number}", note(number), pytest.fail) for number in range(5)]
    jobs[-1].result(5)
    assert [number for number, _ in log] == list(range(5))
    assert len({thread for _, thread in log}) == 1


def test_cancelling_stops_a_job_without_calling_it_a_failure(worker):
    job = worker.submit("long", until_cancelled, pytest.fail)
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.result(5)


def test_same_name_supersedes_running_and_waiting(worker):
    running = worker.submit("map", until_cancelled, pytest.fail)
    waiting = worker.submit("map", lambda job: "never", pytest.fail)
    other = worker.submit("other", lambda job: "other", pytest.fail)
    newest = worker.submit("map", lambda job: "newest", pytest.fail)
    assert newest.result(5) == "newest"
    assert other.result(5) == "other"
    for old in (running, waiting):
        with pytest.raises(JobCancelledError):
            old.result(5)


def test_waiting_has_an_end(worker):
    job = worker.submit("long", until_cancelled, pytest.fail)
    with pytest.raises(ServiceError, match="still running"):
        job.result(0.02)
    job.cancel()


def test_close_ends_the_running_job_and_the_thread():
    worker = Worker("closing")
    job = worker.submit("long", until_cancelled, pytest.fail)
    queued = worker.submit("queued", lambda job: None, pytest.fail)
    worker.close()
    assert job.done
    assert queued.done
    assert "closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ServiceError, match="closed"):
        worker.submit("late", lambda job: None, pytest.fail)
    worker.close()


def test_finished_work_is_not_kept_alive(worker):
    class Big:
        def run(self, job):
            return None

    big = Big()
    gone = weakref.ref(big)
    worker.submit("big", big.run, pytest.fail).result(5)
    del big
    deadline = time.monotonic() + 5
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert gone() is None
