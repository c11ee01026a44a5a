"""The units of the layer beneath that feed a unit at its strongest activations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, fx

from deconvwidgets.arguments import as_integer, describe, integer, text
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.inputs import ImageInputs, input_count, iter_inputs
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.feeding import FeedingPath, Terms, find_feeding_path, terms_of
from deconvwidgets.errors import ContributionError, LayerError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.contributions.compute.outputs import TOLERANCES, prepared_bundle
from deconvwidgets.instruments.contributions.feeders import FeederBranch, Feeders
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo


def feeding_units(
    bundle: ModelBundle,
    images: ImageSet | ImageInputs,
    layer: str,
    unit: int,
    *,
    index: ActivationIndex | None = None,
    k: int = 9,
    dtype: str = "model",
    device: str = "auto",
    job: JobContext | None = None,
) -> Feeders:
    """Return the units of the layer beneath that feed a unit at its strongest activations, by the terms of the unit's sum.

    A convolution is a sum over the channels beneath. At the unit's strongest position, the part of each channel is a term; the terms and
    the bias add up to the unit's value before the rectifier, which is checked. Pooling between is part of the terms by its switches, batch
    norm is folded in, and the factors of local response normalisation count as constants.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    images : ImageSet, image, or sequence of images
        An image set, in whose crops the unit's strongest activations are found, or the images themselves, all of which are used.
    layer : str
        Name or alias of a convolution's or linear layer's map; of a pooled map, the units of the map that it pools are meant.
    unit : int
        The unit.
    index : ActivationIndex, optional
        An index of the image set with the layer. By default an index of the layer is built.
    k : int
        Number of strongest activations of an image set, each of another photograph.
    dtype : {"model", "float64"}
        "float64" computes with a copy of the model in double precision.
    device : str
        "auto", "cpu", "cuda:1", ...
    job : JobContext, optional
        Cancellation.

    Returns
    -------
    Feeders
        Terms (photographs, units beneath), float64.

    Raises
    ------
    LayerError
        If there is no such layer or unit, if it reads the image itself, or if its values are no linear function of maps beneath.
    ContributionError
        If the unit is never active, or if the terms do not add up.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> found = dw.feeding_units(dw.load_model("alexnet"), dw.open_images("photos"), "conv5", 133)
    >>> found.below, found.terms.shape
    ('conv4', (9, 256))
    """
    finder = FeederFinder(prepared_bundle(bundle, device, dtype))
    info = finder.layer(layer)
    number, job = finder.unit(info, unit), as_job(job)
    if not isinstance(images, ImageSet):
        if index is not None:
            raise ContributionError("An index belongs to an image set: pass that, or leave index out.")
        input_count(images)
        return finder.find(info, number, torch.stack(list(iter_inputs(finder.bundle, images))), job)
    k = integer(k, "k", 1, 1000, ContributionError)
    if index is None:
        index = ActivationIndex.build(finder.bundle, images, [info.name], k=k, device=device, progress=False, job=job)
    return finder.of_index(info, number, require_images(images), checked_index(index), k, job)


def checked_index(index: object) -> ActivationIndex:
    """Return an index. Raises ContributionError for anything else."""
    if not isinstance(index, ActivationIndex):
        raise ContributionError(f"index must be an ActivationIndex, not {describe(index)}.")
    return index


class FeederFinder:
    """Finds feeders of the units of a model."""

    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle, self._network = bundle, bundle.network
        graph = self._network.graph
        if graph is None:
            raise ContributionError(f"{bundle.name} cannot be traced, so it is not known which layers feed which: {self._network.reason}")
        self._graph = graph
        self._infos: dict[fx.Node, LayerInfo] = {}
        for info in self._network.layers:
            node = self._network.node(info.name)
            if node is not None:
                self._infos.setdefault(node, info)
        self._maps = {node for info in self._network.feature_map_layers if (node := self._network.node(info.name)) is not None}

    def layer(self, name: object) -> LayerInfo:
        """Return a layer by name or alias. Raises LayerError if there is none."""
        return self._network.layer(text(name, "layer", "the name of a layer", LayerError))

    def unit(self, info: LayerInfo, unit: object) -> int:
        """Return the number of a unit. Raises LayerError if the layer has none of it."""
        number = as_integer(unit)
        if number is None or not 0 <= number < info.channels:
            raise LayerError(f"{info.short_name} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {describe(unit)}.")
        return number

    def of_index(self, info: LayerInfo, unit: int, images: ImageSet, index: ActivationIndex, k: int, job: JobContext) -> Feeders:
        """Return the feeders of a unit at its strongest activations in an index of the layer."""
        crops = self.crops(info, unit, index, images)[:k]
        inputs = torch.stack([self.bundle.prepare(images.open_crop(crop)) for crop in crops])
        return self.find(info, unit, inputs, job, crops)

    def crops(self, info: LayerInfo, unit: int, index: ActivationIndex, images: ImageSet) -> tuple[int, ...]:
        """Return the crops of a unit's strongest activations. Raises ContributionError if it is never active."""
        top = index.top(info.name, unit)
        active = [activation for activation in top if activation.value > 0] or [activation for activation in top if activation.value != 0]
        crops = tuple(activation.image for activation in active)
        if not crops:
            raise ContributionError(f"{info.short_name} unit {unit} is active in no photograph of {images.name}: nothing feeds it there.")
        return crops

    def find(self, info: LayerInfo, unit: int, inputs: Tensor, job: JobContext, crops: tuple[int, ...] = ()) -> Feeders:
        """Return the feeders of a unit at its strongest position in each input (N, C, H, W).

        Raises
        ------
        LayerError
            If the layer reads the image itself, or if its values are no linear function of maps beneath.
        ContributionError
            If the terms do not add up.
        """
        path, below, output = self._path(info)
        with job.device_lease():
            values = self._maps_of(to_model(inputs, self.bundle.model), [*below, output])
            maps = values.pop(output.name)
            flat = maps[:, unit].reshape(len(maps), -1)
            positions = [divmod(int(flat_at), output.width) for flat_at in flat.argmax(dim=1).tolist()]
            sources = {node: values[source.name] for node, source in zip(path.sources, below, strict=True)}
            terms = self._terms(path, sources, unit, positions)
        self._check(info, unit, terms)
        branches = [(source.short_name, term.cpu().double().numpy()) for source, term in zip(below, terms.terms, strict=True)]
        return Feeders(
            layer=info.short_name,
            unit=unit,
            below=branches[0][0],
            terms=branches[0][1],
            constants=terms.constants.cpu().double().numpy(),
            pre_activations=terms.values.cpu().double().numpy(),
            activations=flat.amax(dim=1).cpu().double().numpy(),
            images=crops,
            positions=np.array(positions, np.int64).reshape(-1, 2),
            note=_note(path, info, output),
            skip=tuple(FeederBranch(name, term) for name, term in branches[1:]),
        )

    def _path(self, info: LayerInfo) -> tuple[FeedingPath, list[LayerInfo], LayerInfo]:
        node = self._network.node(info.name)
        assert node is not None
        path = find_feeding_path(self._graph, node, self._maps)
        if isinstance(path, str):
            raise LayerError(f"The units that feed {info.short_name} are not known: {path}. Choose another layer.")
        missing = [source for source in (*path.sources, path.output) if source not in self._infos]
        if missing or not path.sources:
            what = self._graph.operations[missing[0]].name if missing else "no map"
            raise LayerError(
                f"The units that feed {info.short_name} are not those of a layer: {what} is the output of no module. Choose another layer."
            )
        return path, [self._infos[source] for source in path.sources], self._infos[path.output]

    def _maps_of(self, batch: Tensor, infos: list[LayerInfo]) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        with torch.no_grad():
            self._network.visit(batch, [info.name for info in infos], lambda name, value: values.update({name: value.clone()}))
        return values

    def _terms(self, path: FeedingPath, sources: dict[fx.Node, Tensor], unit: int, positions: list[tuple[int, int]]) -> Terms:
        model = self._network.model
        if not self._network.single:
            return terms_of(path, model, sources, unit, positions)
        parts = [
            terms_of(path, model, {node: value[row : row + 1] for node, value in sources.items()}, unit, positions[row : row + 1])
            for row in range(len(positions))
        ]
        joined = tuple(torch.cat(terms) for terms in zip(*(part.terms for part in parts), strict=True))
        return Terms(joined, torch.cat([part.constants for part in parts]), torch.cat([part.values for part in parts]))

    def _check(self, info: LayerInfo, unit: int, terms: Terms) -> None:
        error = terms.error()
        if not error <= TOLERANCES.get(terms.values.dtype, 3e-2):
            raise ContributionError(
                f"The terms of {info.short_name} unit {unit} miss its value by {error:.1e} of their size: something between it and the "
                "layer beneath is not linear. Choose another layer."
            )


def _note(path: FeedingPath, info: LayerInfo, output: LayerInfo) -> str:
    notes = ["Exact terms of the sum before the rectifier."]
    if path.pooled:
        notes.append(f"{info.short_name} pools {output.short_name}: the terms are those at its strongest position.")
    if path.has_factors:
        notes.append("The factors of local response normalisation are those at the position.")
    if len(path.sources) > 1:
        notes.append("Several layers feed the sum: by a skip branch, or by concatenation.")
    return " ".join(notes)
