"""RateLimiter: the action runs immediately, then at most once per interval, and always after the last trigger."""

import threading
import time

from deconvwidgets.service.rate_limit import RateLimiter
from tests.widgets.requests import wait_until


def test_triggers_are_rate_limited_and_the_last_one_runs_the_action():
    values, state = [], [0]
    limiter = RateLimiter(lambda: values.append(state[0]), interval=0.05)
    start = time.monotonic()
    for number in range(1, 500):
        state[0] = number
        limiter.trigger()
        time.sleep(0.0005)
    wait_until(lambda: values[-1] == 499)
    seconds = time.monotonic() - start
    assert values[0] == 1
    assert 3 <= len(values) <= seconds / 0.05 + 2
    count = len(values)
    time.sleep(0.2)
    assert len(values) == count  # nothing runs without a trigger


def test_trigger_at_once_runs_the_action_immediately():
    values = []
    limiter = RateLimiter(lambda: values.append(time.monotonic()), interval=0.5)
    limiter.trigger()
    limiter.trigger()
    limiter.trigger(at_once=True)
    assert len(values) == 2
    time.sleep(0.7)
    assert len(values) == 2


def test_trigger_during_a_run_starts_another_run():
    started, proceed, values, value = threading.Event(), threading.Event(), [], [1]

    def action():
        values.append(value[0])
        started.set()
        proceed.wait(10)

    limiter = RateLimiter(action, 0.01)
    threading.Thread(target=limiter.trigger).start()
    assert started.wait(10)
    value[0] = 2
    limiter.trigger()
    proceed.set()
    wait_until(lambda: values == [1, 2])
    limiter.close()


def test_close_and_the_interval_between_runs():
    start_times = []
    limiter = RateLimiter(lambda: start_times.append(time.monotonic()), 60)
    limiter.trigger()
    limiter.trigger()
    limiter.close()
    limiter._run_by_timer()  # as a timer that fires during close
    limiter.trigger(at_once=True)
    assert len(start_times) == 1
    start_times.clear()
    limiter = RateLimiter(lambda: (start_times.append(time.monotonic()), limiter.trigger(), time.sleep(0.2)), 0.2)
    limiter.trigger()
    wait_until(lambda: len(start_times) == 2)
    limiter.close()
    assert start_times[1] - start_times[0] >= 0.4


def test_errors_of_the_action_are_logged(caplog):
    calls = []

    def action():
        calls.append(1)
        raise ValueError("a bug")

    limiter = RateLimiter(action, 0.01)
    limiter.trigger()
    wait_until(lambda: "a bug" in caplog.text)
    wait_until(lambda: limiter._timer is None)
    limiter.trigger()
    wait_until(lambda: len(calls) == 2)
    limiter.close()
