"""News are told at once, then ten times a second at the most, and the last is never lost."""

import time

from deconvwidgets.service.rate_limit import RateLimiter


def test_many_rings_are_told_few_times_and_the_last_is_told():
    told, state = [], [0]
    limiter = RateLimiter(lambda: told.append(state[0]), interval=0.05)
    begun = time.monotonic()
    for number in range(1, 500):
        state[0] = number
        limiter.trigger()
        time.sleep(0.0005)
    seconds = time.monotonic() - begun
    time.sleep(0.3)
    assert told[0] == 1
    assert told[-1] == 499
    assert 3 <= len(told) <= seconds / 0.05 + 2
    count = len(told)
    time.sleep(0.2)
    assert len(told) == count  # nothing is told without news


def test_what_somebody_waits_for_is_told_at_once_and_once():
    told = []
    limiter = RateLimiter(lambda: told.append(time.monotonic()), interval=0.1)
    limiter.trigger()
    limiter.trigger()
    limiter.trigger(at_once=True)
    assert len(told) == 2
    time.sleep(0.3)
    assert len(told) == 2
