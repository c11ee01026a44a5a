"""An action runs at once, then at most once per interval, and always after the last trigger."""

import threading
import time

from deconvwidgets.service.rate_limit import RateLimiter
from tests.widgets.requests import wait_until


def test_of_many_triggers_few_run_the_action_and_the_last_one_does():
    seen, state = [], [0]
    limiter = RateLimiter(lambda: seen.append(state[0]), interval=0.05)
    begun = time.monotonic()
    for number in range(1, 500):
        state[0] = number
        limiter.trigger()
        time.sleep(0.0005)
    seconds = time.monotonic() - begun
    time.sleep(0.3)
    assert seen[0] == 1
    assert seen[-1] == 499
    assert 3 <= len(seen) <= seconds / 0.05 + 2
    count = len(seen)
    time.sleep(0.2)
    assert len(seen) == count  # nothing runs without a trigger


def test_an_urgent_trigger_runs_the_action_at_once_and_once():
    seen = []
    limiter = RateLimiter(lambda: seen.append(time.monotonic()), interval=0.1)
    limiter.trigger()
    limiter.trigger()
    limiter.trigger(at_once=True)
    assert len(seen) == 2
    time.sleep(0.3)
    assert len(seen) == 2


def test_a_trigger_during_a_run_leads_to_another_run():
    begun, go_on, seen, value = threading.Event(), threading.Event(), [], [1]

    def action():
        seen.append(value[0])
        begun.set()
        go_on.wait(10)

    limiter = RateLimiter(action, 0.01)
    threading.Thread(target=limiter.trigger).start()
    assert begun.wait(10)
    value[0] = 2
    limiter.trigger()
    go_on.set()
    wait_until(lambda: seen == [1, 2])
    limiter.close()


def test_a_closed_limiter_starts_nothing_and_the_interval_begins_at_the_end_of_a_run():
    begun = []
    limiter = RateLimiter(lambda: begun.append(time.monotonic()), 60)
    limiter.trigger()
    limiter.trigger()
    limiter.close()
    limiter._run_by_timer()  # as a timer that fires at this moment
    limiter.trigger(at_once=True)
    assert len(begun) == 1
    begun.clear()
    limiter = RateLimiter(lambda: (begun.append(time.monotonic()), limiter.trigger(), time.sleep(0.2)), 0.2)
    limiter.trigger()
    wait_until(lambda: len(begun) == 2)
    limiter.close()
    assert begun[1] - begun[0] >= 0.4


def test_a_failing_action_is_logged_and_runs_again(caplog):
    calls = []

    def action():
        calls.append(1)
        raise ValueError("no news today")

    limiter = RateLimiter(action, 0.01)
    limiter.trigger()
    wait_until(lambda: "no news today" in caplog.text)
    wait_until(lambda: limiter._timer is None)
    limiter.trigger()
    wait_until(lambda: len(calls) == 2)
    limiter.close()
