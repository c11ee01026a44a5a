"""BatchSizer: the batch size depends on the duration of former batches."""

from deconvwidgets.service.batch_sizer import BUSY_SECONDS, IDLE_SECONDS, BatchSizer


def test_batch_size_for_the_time_limit():
    busy = [True]
    batch_sizer = BatchSizer(lambda: busy[0])
    assert batch_sizer.size() == 1
    batch_sizer.record(1, 0.01)
    assert batch_sizer.size() == round(BUSY_SECONDS / 0.01)
    busy[0] = False
    assert batch_sizer.size() == round(IDLE_SECONDS / 0.01)


def test_batch_size_on_slow_and_fast_devices():
    batch_sizer = BatchSizer(lambda: True, largest=64)
    batch_sizer.record(1, 5.0)
    assert batch_sizer.size() == 1
    for _ in range(40):
        batch_sizer.record(64, 0.0)
    assert batch_sizer.size() == 64
