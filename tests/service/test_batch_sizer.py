"""Batches follow the time that the last ones took."""

from deconvwidgets.service.batch_sizer import BRISK, RELAXED, AdaptivePace


def test_batches_stay_under_the_time_allowed():
    busy = [True]
    pace = AdaptivePace(lambda: busy[0])
    assert pace.size() == 1
    pace.took(1, 0.01)
    assert pace.size() == round(BRISK / 0.01)
    busy[0] = False
    assert pace.size() == round(RELAXED / 0.01)


def test_slow_and_fast_devices():
    pace = AdaptivePace(lambda: True, largest=64)
    pace.took(1, 5.0)
    assert pace.size() == 1
    for _ in range(40):
        pace.took(64, 0.0)
    assert pace.size() == 64
