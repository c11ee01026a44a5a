"""`ActivationIndex.build(..., engine="ray")`: the index grows by the indexes of parts, which a Ray cluster makes."""

from __future__ import annotations

from contextlib import closing
from types import ModuleType
from typing import Any

from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.ray_cluster import ClusterShape, ray_session
from deconvwidgets.errors import ActivationIndexError, JobCancelledError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.building import BuildRequest
from deconvwidgets.index.commits import Commits
from deconvwidgets.index.crop_ranges import CropRanges, crop_count, missing
from deconvwidgets.index.layer_sets import only_layers
from deconvwidgets.index.part_pass import PartPass
from deconvwidgets.index.ray_engine import RayPasses
from deconvwidgets.index.so_far import IndexSoFar
from deconvwidgets.records.layers import LayerInfo


class GrowingIndex:
    """An index to which those of parts are added."""

    def __init__(self, start: ActivationIndex) -> None:
        self.whole = start

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers of the index."""
        return self.whole.layers

    def add(self, data: bytes) -> None:
        """Add the index of a part, given as the bytes of its file. Raises ActivationIndexError if crops of it are there already."""
        self.whole = self.whole.merge(ActivationIndex.from_bytes(data))

    def index(self, layers: tuple[str, ...] | None = None) -> ActivationIndex:
        """Return the index so far, of all layers or of those of some dotted names."""
        if layers is None:
            return self.whole
        return only_layers(self.whole, [info for info in self.layers if info.name in layers])


def build_on_ray(request: BuildRequest, start: Any, commits: Commits | None = None) -> Any:
    """Return the index of all requested crops, from an index of some of them, built on a cluster.

    Both are an ActivationIndex.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ModelError
        If a feature map contains NaN or infinity.
    ActivationIndexError
        If there is no such cluster, if a node of it cannot read the images, or if a commit cannot be written.
    JobCancelledError
        If the job is cancelled. The crops so far are committed.
    """
    if request.options.decoded_cache is not None:
        raise ActivationIndexError("decoded_cache is a folder of one machine: it cannot be used with engine='ray'")
    with ray_session(request.ray_address) as ray:
        return _build(ray, request, start, commits)


def _build(ray: ModuleType, request: BuildRequest, start: ActivationIndex, commits: Commits | None) -> ActivationIndex:
    growing, total = GrowingIndex(start), len(request.crops)

    def remaining() -> CropRanges:
        return missing(request.crops, growing.whole.crop_ranges)

    with request.job.progress_bar("index", request.counted, total, request.progress, total - crop_count(remaining())) as job:
        uses_gpus = _uses_gpus(ray, request.device)
        passes = RayPasses(
            ray,
            CropDecoder.of(request.bundle, request.images, request.options.scaled_jpeg),
            _part_pass(request, start, uses_gpus),
            job,
            total,
            uses_gpus,
            None if request.options.workers == "auto" else max(request.options.workers, 1),
        )
        try:
            with closing(passes.outcomes(remaining)) as outcomes:
                for outcome in outcomes:
                    growing.add(outcome.data)
                    if request.on_so_far is not None:
                        request.on_so_far(IndexSoFar(growing, crop_count(growing.whole.crop_ranges)))
                    if commits is not None:
                        commits.offer(growing.whole.state)
        except (JobCancelledError, KeyboardInterrupt):
            if commits is not None:
                commits.commit(growing.whole.state())
            raise
    return growing.whole


def _uses_gpus(ray: ModuleType, device: str) -> bool:
    if device not in ("auto", "cpu", "cuda"):
        raise ActivationIndexError(f"With engine='ray', device must be 'auto', 'cpu' or 'cuda', not {device!r}: Ray chooses the GPUs")
    gpus = ClusterShape.of(ray.nodes()).gpus
    if device == "cuda" and not gpus:
        raise ActivationIndexError("The Ray cluster has no GPU: choose device='auto' or 'cpu', or start its nodes with --num-gpus")
    return device != "cpu" and gpus > 0


def _part_pass(request: BuildRequest, start: ActivationIndex, uses_gpus: bool) -> PartPass:
    empty = ActivationIndex.empty(request.bundle, request.images, start.layers, request.options)
    return PartPass(request.bundle, empty, "cuda" if uses_gpus else "cpu")
