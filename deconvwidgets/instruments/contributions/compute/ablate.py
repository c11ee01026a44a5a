"""Ablation: every unit of a layer switched off alone, over labelled photographs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, fx

from deconvwidgets.arguments import flag
from deconvwidgets.compute.class_labels import classes_of_labels
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.layer_cut import CutValues
from deconvwidgets.engine.linear_head import LinearHead
from deconvwidgets.engine.linear_tower import LinearTower, find_linear_tower
from deconvwidgets.errors import ContributionError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.instruments.contributions.ablation import UnitAblation
from deconvwidgets.instruments.contributions.compute.ablation_table import AblationTable, Method
from deconvwidgets.instruments.contributions.compute.methods import masked_outputs, variants_per_batch
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove, prepared_bundle
from deconvwidgets.instruments.contributions.compute.photographs import Photographs
from deconvwidgets.models.bundle import ModelBundle

_TITLE = "ablations"
_BATCH = 16
_MAX_NUMBERS = 1 << 22  # of the outputs of one step

Changed = tuple[Tensor, Tensor, Tensor]  # units (B,), photographs (B,), outputs (B, K)


class Ablation(Protocol):
    """Computes the outputs of a batch with each unit switched off alone."""

    method: Method

    def changed(self, saved: CutValues, outputs: Tensor) -> Iterator[Changed]:
        """Yield units, photographs and outputs; pairs whose map is zero already are left out."""
        ...


def ablate_units(
    bundle: ModelBundle,
    images: ImageSet,
    layer: str,
    *,
    dtype: str = "model",
    device: str = "auto",
    progress: bool = False,
    job: JobContext | None = None,
) -> UnitAblation:
    """Switch every unit of a layer off alone, and return what that changes: accuracy, answers, and each class.

    Only what lies above the layer is run again, and only for photographs in which the unit is active. A layer with a linear head needs one
    product of matrices; linear layers with rectifiers between (fc6 to fc8 of AlexNet) skip what is zero. Source: ablation of single units
    as in Zhou et al. 2018, "Revisiting the Importance of Individual Units in CNNs via Ablation".

    Parameters
    ----------
    bundle : ModelBundle
        A model that predicts classes that exclude each other.
    images : ImageSet
        The photographs, each represented by its first crop. If no label is the name of a class of the model, the change of the predicted
        class is reported in place of that of the label's; photographs whose label names no class count in `changed` only.
    layer : str
        Name or alias.
    dtype : {"model", "float64"}
        "float64" computes with a copy of the model in double precision.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress and cancellation.

    Returns
    -------
    UnitAblation
        Changes per unit, and per unit and class.

    Raises
    ------
    LayerError
        If there is no such layer, or if the answer does not depend on it.
    ContributionError
        If the model does not predict classes that exclude each other.
    PictureError
        If no photograph can be read.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> found = dw.ablate_units(dw.load_model("alexnet"), dw.open_images("photos"), "pool5")
    >>> found.method, found.changed.shape
    ('closed form', (256,))
    """
    progress = flag(progress, "progress", ContributionError)
    above = OutputsAbove(prepared_bundle(bundle, device, dtype), layer)
    if above.quantity.task in ("multilabel", "regression"):
        raise ContributionError(
            f"{above.bundle.name} does not predict classes that exclude each other ({above.quantity.task}), so there is no accuracy to "
            "lose: dw.unit_contributions explains one output."
        )
    labels = torch.from_numpy(classes_of_labels(above.bundle, require_images(images)))
    ablation, table = ablation_of(above), AblationTable(above, "label" if bool((labels >= 0).any()) else "predicted")
    photographs, done = Photographs(above.bundle, images), 0
    with as_job(job).progress_bar(_TITLE, "photograph", photographs.total, progress) as context:
        for batch in photographs.batches(context, _TITLE, _BATCH):
            sources = np.array(photographs.sources[done : done + len(batch)])
            _add(above, ablation, table, batch, labels[sources], context)
            done += len(batch)
    return table.record(ablation.method, tuple(photographs.skipped))


def ablation_of(above: OutputsAbove) -> Ablation:
    """Return the fastest exact way to switch the units of a layer off."""
    if above.head is not None:
        return _ClosedForm(above.head)
    network = above.bundle.network
    graph, node = network.graph, network.node(above.info.name)
    outputs = [] if graph is None else [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
    if graph is not None and node is not None and len(outputs) == 1 and not network.single:
        tower = find_linear_tower(graph, network.model, node, outputs[0])
        if tower is not None:
            return _Delta(tower)
    return _Full(above)


def _add(above: OutputsAbove, ablation: Ablation, table: AblationTable, batch: Tensor, labels: Tensor, job: JobContext) -> None:
    """Add a batch of photographs to the table."""
    with job.device_lease(), torch.no_grad():
        saved = above.save(batch)
        outputs = above.outputs(saved)
    before, changed = table.begin(outputs.cpu(), labels), ablation.changed(saved, outputs)
    while True:
        job.check_cancelled(f"The {_TITLE} were cancelled")
        with job.device_lease(), torch.no_grad():
            found = next(changed, None)
        if found is None:
            return
        units, photographs, after = found
        table.add(before, units, photographs, after.cpu())


class _ClosedForm:
    """The outputs depend linearly on the layer: what a unit contributes is subtracted."""

    method: Method = "closed form"

    def __init__(self, head: LinearHead) -> None:
        self._head, self._weight = head, head.weight.permute(1, 2, 0).contiguous()  # (C, P, K)

    def changed(self, saved: CutValues, outputs: Tensor) -> Iterator[Changed]:
        features = self._head.features(saved.maps).transpose(0, 1)  # (C, N, P)
        units, photographs = len(features), torch.arange(len(outputs))
        step = max(1, _MAX_NUMBERS // outputs.numel())
        for first in range(0, units, step):
            chosen = torch.arange(first, min(first + step, units))
            after = outputs - torch.bmm(features[chosen.to(features.device)], self._weight[chosen.to(features.device)])
            yield chosen.repeat_interleave(len(outputs)), photographs.repeat(len(chosen)), after.flatten(0, 1)


class _Delta:
    """Linear layers with rectifiers between: the columns of a unit are subtracted from the sums of the first one."""

    method: Method = "delta"

    def __init__(self, tower: LinearTower) -> None:
        self._tower = tower

    def changed(self, saved: CutValues, outputs: Tensor) -> Iterator[Changed]:
        features = self._tower.features(saved.maps)
        sums, parts = self._tower.changes(features)
        active = features.ne(0).any(dim=2).cpu()
        for photograph in range(len(outputs)):
            units = active[photograph].nonzero().flatten()
            if len(units):
                without = sums[photograph][:, None] - parts[photograph].index_select(1, units.to(parts.device))
                yield units, torch.full_like(units, photograph), self._tower.outputs(without)


class _Full:
    """All that lies above the layer is run again."""

    method: Method = "full"

    def __init__(self, above: OutputsAbove) -> None:
        self._above = above

    def changed(self, saved: CutValues, outputs: Tensor) -> Iterator[Changed]:
        size, channels = variants_per_batch(saved), self._above.units
        for photograph in range(len(outputs)):
            active = saved.maps[photograph].reshape(channels, -1).ne(0).any(dim=1).nonzero().flatten().cpu()
            for units in torch.split(active, size):
                keep = torch.ones(len(units), channels, dtype=torch.bool)
                keep[torch.arange(len(units)), units] = False
                yield units, torch.full_like(units, photograph), masked_outputs(self._above, saved, photograph, keep)
