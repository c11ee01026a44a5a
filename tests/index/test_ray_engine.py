"""Indexes that a real Ray cluster of two nodes builds, also while processes and nodes of it are killed."""

import os
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch import nn

from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.ray_cluster import ray_session
from deconvwidgets.errors import ActivationIndexError, JobCancelledError, ModelError, PictureError
from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.ray_engine import RayPasses, _LostError
from deconvwidgets.index.ray_run import PassLostError, own_error
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from tests.ray_start import started

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow

STORE = 80 << 20  # bytes of a node's object store, the least that Ray allows being 75 MB


def descendants():
    return {process.pid: process for process in psutil.Process().children(recursive=True)}


def add_node(cluster):
    """Start a node, without the helpers that nothing here needs: each takes seconds to start."""
    before = descendants()
    options = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
    return started(lambda: cluster.add_node(num_cpus=1, object_store_memory=STORE, **options), lambda: end_others(before))


def end_others(before):
    """End the processes that were started since `before`: Ray leaves helpers of a node that did not start, which delay the next one."""
    left = [process for pid, process in descendants().items() if pid not in before]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(left, timeout=60)
    assert not alive, alive


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with one CPU each. Nothing of them is left afterwards."""
    from ray.cluster_utils import Cluster

    module, before = sys.modules[__name__], descendants()
    ray.cloudpickle.register_pickle_by_value(module)  # the nodes cannot import this module
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # by default 15: other tests that run at the same time would take all time
        # A killed node is missed after five checks, by default 15 seconds. A slow one has 10 seconds for each, as by default.
        patch.setenv("RAY_health_check_period_ms", "500")
        nodes = Cluster()
        try:
            add_node(nodes)
            nodes.second = add_node(nodes)
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()
            ray.cloudpickle.unregister_pickle_by_value(module)
            psutil.wait_procs([process for pid, process in descendants().items() if pid not in before], timeout=20)
            end_others(before)  # such as those of a node that did not start in time


@pytest.fixture(scope="module")
def bundle():
    """A network with a batch norm and a layer without a rectifier."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.Flatten(), nn.LazyLinear(4)
    )
    transform = Preprocess(resize=64, crop=(64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)
    net(torch.zeros(2, 3, 64, 64))
    return ModelBundle.from_module(net.eval(), transform=transform, input_size=(3, 64, 64), categories=list("abcd"), name="small")


class Noise(ImageSet):
    """Photographs in memory, of two classes. One cannot be read, and two are equal.

    If `gate` is given, other processes open the first `FREE` at once, and wait with the others until there is a file of that name.
    """

    FREE = 100  # more than the first parts have

    def __init__(self, count, gate=None):
        self.pixels = np.random.default_rng(0).integers(0, 256, (count, 70, 66, 3), dtype=np.uint8)
        self.pixels[4] = self.pixels[2]
        self.gate, self.process = gate, os.getpid()
        super().__init__("noise", digest_of(["noise", str(count)]), ["a", "b"])

    @property
    def source_count(self):
        return len(self.pixels)

    def source_name(self, source):
        return f"noise-{source}"

    def label(self, source):
        return source % 2

    def open_source(self, source):
        if self.gate is not None and os.getpid() != self.process and source >= self.FREE:
            wait_until(self.gate.exists, 500)
        if source == 5:
            raise PictureError("noise-5 is truncated.")
        return Image.fromarray(self.pixels[source])


def of_one_process(bundle, images):
    return ActivationIndex.build(bundle, images, device="cpu", progress=False).to_bytes()


def on_cluster(cluster, bundle, images, **arguments):
    return ActivationIndex.build(bundle, images, engine="ray", ray_address=cluster.address, progress=False, **arguments)


def processes_of(part):
    """The processes of this test's cluster that run an actor whose name contains `part`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if part in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(holds, timeout=300):
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


class WhileRunning:
    """Does something once some crops are done, in a thread as another process would, and opens the gate for the other crops."""

    def __init__(self, action, gate):
        self.action, self.gate, self.thread = action, gate, None

    def __call__(self, progress):
        if self.thread is None and 0 < progress.done < progress.total:
            self.thread = threading.Thread(target=self._run)
            self.thread.start()

    def _run(self):
        try:
            self.action()
        finally:
            self.gate.touch()

    @property
    def happened(self):
        if self.thread is not None:
            self.thread.join()
        return self.thread is not None


def test_two_nodes_give_the_bytes_of_one_process(cluster, bundle):
    crops = Noise(120)
    index = on_cluster(cluster, bundle, crops)
    assert index.to_bytes() == of_one_process(bundle, crops)
    assert len(index.skipped) == 1
    assert not ray.is_initialized()


@pytest.fixture(scope="module")
def connected(cluster):
    """The cluster, with a connection that all tests use, which saves the start of some processes."""
    with ray_session(cluster.address):
        yield cluster


def test_killed_workers_and_a_killed_pass_lose_nothing(connected, bundle, tmp_path):
    killed = []

    def kill():
        for part in ("IndexStage", "IndexRun"):
            process = processes_of(part)[0]
            process.kill()
            killed.append(process)

    gate = tmp_path / "gate"
    crops, watch = Noise(200, gate), WhileRunning(kill, gate)
    index = on_cluster(connected, bundle, crops, job=JobContext(on_progress=watch))
    assert watch.happened
    assert len(killed) == 2
    assert index.to_bytes() == of_one_process(bundle, crops)


def test_a_killed_node_loses_nothing(connected, bundle, tmp_path):
    gate = tmp_path / "gate"
    crops, watch = Noise(200, gate), WhileRunning(lambda: connected.remove_node(connected.second, allow_graceful=False), gate)
    try:
        index = on_cluster(connected, bundle, crops, job=JobContext(on_progress=watch))
    finally:
        if watch.happened:
            connected.second = add_node(connected)
    assert watch.happened
    assert index.to_bytes() == of_one_process(bundle, crops)


def test_a_cancelled_index_goes_on_from_its_last_commit(connected, bundle, tmp_path):
    gate = tmp_path / "gate"
    crops, path, seen = Noise(200, gate), tmp_path / "small.index", []

    def cancelled():
        return bool(seen) and seen[-1] > 0

    with pytest.raises(JobCancelledError):
        on_cluster(
            connected,
            bundle,
            crops,
            path=path,
            job=JobContext(on_progress=lambda progress: seen.append(progress.done), cancelled=cancelled),
        )
    wait_until(lambda: not processes_of("IndexRun"))  # Ray ends the process of a killed actor a moment later
    assert not path.exists()
    gate.touch()
    again = []
    index = on_cluster(connected, bundle, crops, path=path, job=JobContext(on_progress=lambda progress: again.append(progress.done)))
    assert 0 < again[0] < len(crops)
    assert index.to_bytes() == of_one_process(bundle, crops) == path.read_bytes()


def test_an_actor_that_has_no_node_any_more_ends_its_pass_and_not_the_index():
    lost = ray.exceptions.ActorUnschedulableError("The node specified doesn't exist any more")
    try:
        raise RuntimeError("the pipeline failed") from lost
    except RuntimeError as error:
        found = own_error(error)
    assert isinstance(found, PassLostError)

    class Lost:
        exceptions = ray.exceptions

        @staticmethod
        def get(reference):
            raise ray.exceptions.RayTaskError("work", "traceback", found)

    with pytest.raises(_LostError, match="doesn't exist any more"):
        RayPasses._result(SimpleNamespace(ray=Lost), None)


class OnlyHere(ImageSet):
    """Photographs that only the process that made them can read, as files of a folder that is not shared."""

    def __init__(self):
        super().__init__("only here", digest_of(["only here"]))
        self.process = os.getpid()

    @property
    def source_count(self):
        return 20

    def source_name(self, source):
        return f"{source}.jpg"

    def label(self, source):
        return None

    def open_source(self, source):
        if os.getpid() != self.process:
            raise PictureError(f"/data/{source}.jpg does not exist.")
        return Image.new("RGB", (64, 64))


def test_images_that_a_node_cannot_read_are_an_error(connected, bundle):
    with pytest.raises(ActivationIndexError, match=r"cannot read \d+\.jpg \(/data/\d+\.jpg does not exist\.\), and this machine can"):
        on_cluster(connected, bundle, OnlyHere())


def test_an_error_of_the_model_is_raised_as_in_one_process(connected, bundle):
    broken = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 62 * 62, 2)).eval()
    with torch.no_grad():
        broken[0].bias[1] = float("nan")
    with_nan = ModelBundle(**{**bundle.__dict__, "model": broken, "categories": None, "classifier": None})
    with pytest.raises(ModelError, match="contains NaN or infinity for crop"):
        on_cluster(connected, with_nan, Noise(40))
