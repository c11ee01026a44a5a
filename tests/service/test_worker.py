"""Worker: jobs run one after another; they are cancelled and superseded, and their errors are kept."""

import gc
import threading
import time
import weakref

import pytest

from deconvwidgets.errors import JobCancelledError, ModelError, ServiceError
from deconvwidgets.service.worker import SynchronousExecutor, Worker


@pytest.fixture(params=[Worker, SynchronousExecutor])
def executor(request):
    instance = request.param()
    yield instance
    instance.close()


@pytest.fixture
def worker():
    instance = Worker()
    yield instance
    instance.close()


def run_until_cancelled(job):
    while not job.cancelled:
        time.sleep(0.002)
    raise JobCancelledError("stopped")


def test_result(executor):
    assert executor.submit("sum", lambda job: 2 + 3, pytest.fail).result(5) == 5


def test_error_is_raised_by_result_and_passed_to_on_failure(executor):
    messages = []

    def fail(job):
        raise ModelError("the weights are missing")

    job = executor.submit("fail", fail, messages.append)
    for _ in range(2):
        with pytest.raises(ModelError, match="weights are missing"):
            job.result(5)
    deadline = time.monotonic() + 60
    while not messages and time.monotonic() < deadline:
        time.sleep(0.002)
    assert messages == ["the weights are missing"]
    assert executor.submit("next", lambda job: "still working", pytest.fail).result(5) == "still working"


def test_unexpected_errors_are_logged_with_their_type(executor, caplog):
    messages = []
    job = executor.submit("bug", lambda job: {}["x"], messages.append)
    with pytest.raises(KeyError):
        job.result(5)
    executor.submit("after", lambda job: None, pytest.fail).result(5)
    assert messages == ["KeyError: 'x'"]
    assert "Traceback" in caplog.text


def test_jobs_run_in_order_in_one_thread(worker):
    log = []

    def append_to_log(number):
        return lambda job: log.append((number, threading.get_ident()))

    submitted = threading.Event()  # the thread ends when no job waits
    worker.submit("wait", lambda job: submitted.wait(5), pytest.fail)
    jobs = [worker.submit(f"job {number}", append_to_log(number), pytest.fail) for number in range(5)]
    submitted.set()
    jobs[-1].result(5)
    assert [number for number, _ in log] == list(range(5))
    assert len({thread for _, thread in log}) == 1


def test_free_memory_is_returned_once_after_the_last_job(worker, monkeypatch):
    log, returned = [], threading.Event()
    monkeypatch.setattr("deconvwidgets.service.worker.release_free_memory", lambda: (log.append("free memory"), returned.set()))
    submitted = threading.Event()
    worker.submit("wait", lambda job: submitted.wait(5), pytest.fail)
    for number in range(2):
        worker.submit(f"job {number}", lambda job: log.append(job.name), pytest.fail)
    submitted.set()
    assert returned.wait(5)
    assert log == ["job 0", "job 1", "free memory"]


def test_cancel_does_not_call_on_failure(worker):
    job = worker.submit("long", run_until_cancelled, pytest.fail)
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.result(5)


def test_submit_supersedes_jobs_of_the_same_name(worker):
    started, submitted = threading.Event(), threading.Event()

    def run_until_superseded(job):
        started.set()
        submitted.wait(5)  # the waiting job must not start before it is superseded
        run_until_cancelled(job)

    running = worker.submit("map", run_until_superseded, pytest.fail)
    assert started.wait(5)
    waiting = worker.submit("map", lambda job: "never", pytest.fail)
    other = worker.submit("other", lambda job: "other", pytest.fail)
    newest = worker.submit("map", lambda job: "newest", pytest.fail)
    submitted.set()
    assert newest.result(5) == "newest"
    assert other.result(5) == "other"
    for old in (running, waiting):
        with pytest.raises(JobCancelledError):
            old.result(5)


def test_result_raises_an_error_after_the_timeout(worker):
    job = worker.submit("long", run_until_cancelled, pytest.fail)
    with pytest.raises(ServiceError, match="still running"):
        job.result(0.02)
    job.cancel()


def test_close_cancels_all_jobs_and_ends_the_thread():
    worker = Worker("closing")
    job = worker.submit("long", run_until_cancelled, pytest.fail)
    queued = worker.submit("queued", lambda job: None, pytest.fail)
    worker.close()
    assert job.done
    assert queued.done
    assert "closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ServiceError, match="closed"):
        worker.submit("late", lambda job: None, pytest.fail)
    worker.close()


def test_finished_jobs_are_garbage_collected(worker):
    class Big:
        def run(self, job):
            return None

    big = Big()
    reference = weakref.ref(big)
    worker.submit("big", big.run, pytest.fail).result(5)
    del big
    deadline = time.monotonic() + 60
    while reference() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert reference() is None
