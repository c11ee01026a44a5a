"""What requests about one snapshot share: cut models, mean features, and feeders."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, TypeVar

import torch

from deconvwidgets.arguments import text
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.contributions.compute.classes import (
    FeatureMeans,
    checked_unit,
    class_contributions_by_gradient,
    unit_classes_by_switching_off,
)
from deconvwidgets.instruments.contributions.compute.feeding_units import FeederFinder
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove
from deconvwidgets.instruments.contributions.feeders import Feeders
from deconvwidgets.instruments.contributions.records import ClassContributions, UnitClasses
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.index_source import K
from deconvwidgets.service.snapshot import Snapshot

_KEPT = 8

Key = TypeVar("Key", bound=tuple[Any, ...])
Value = TypeVar("Value")


class Analyses:
    """Makes what answers are computed from, and keeps it for the newest snapshot. Thread-safe.

    Parameters
    ----------
    context : ServiceContext
    """

    def __init__(self, context: ServiceContext) -> None:
        self._images, self._index = context.images, context.index
        self._lock = Lock()
        self._above: OrderedDict[tuple[int, str], OutputsAbove] = OrderedDict()  # by the bundle's identity, which it keeps alive
        self._means: OrderedDict[tuple[OutputsAbove], FeatureMeans] = OrderedDict()
        self._feeders: OrderedDict[tuple[int, str, int], Feeders] = OrderedDict()

    def above(self, snapshot: Snapshot, layer: str | None, unchanged: bool = False) -> OutputsAbove:
        """Return the model cut at a layer; by default at the last of the explorers' layers.

        Parameters
        ----------
        unchanged : bool
            The model without the factors of its units.

        Raises
        ------
        LayerError
            If there is no such layer, or if the answer does not depend on it.
        ContributionError
            If the model has no classifier.
        """
        bundle = (snapshot.bundle.unchanged or snapshot.bundle) if unchanged else snapshot.bundle
        name = snapshot.listed[-1].name if layer is None and snapshot.listed else layer
        info = bundle.network.layer(text(name, "layer", "the name of a layer", LayerError))
        return self._cut(bundle, info.name)

    def _cut(self, bundle: ModelBundle, layer: str) -> OutputsAbove:
        """Return a model cut at a layer of a dotted name: the same object as before, as long as it is the same model."""
        key = (id(bundle), layer)
        with self._lock:
            found = self._above.get(key)
        if found is None:
            found = OutputsAbove(bundle, layer)
            self._keep(self._above, key, found)
        return found

    def with_own_units_on(self, snapshot: Snapshot, layer: str | None) -> OutputsAbove:
        """Return the model cut at a layer, with all units of that layer on: what a unit contributes to is shown also while it is off.

        It is the same while only units of the layer are switched, and so are the means.
        """
        name = self.above(snapshot, layer).info.name
        return self._cut(snapshot.below.of(name), name)

    def known_means(self, above: OutputsAbove) -> FeatureMeans | None:
        """Return the mean features of a layer if they are known."""
        with self._lock:
            return self._means.get((above,))

    def means(self, snapshot: Snapshot, above: OutputsAbove, job: JobContext) -> FeatureMeans:
        """Return the mean features of a layer with a linear head, over photographs of the image set."""
        found = self.known_means(above)
        if found is None:
            found = FeatureMeans.of(above, snapshot.images, job)
            self._keep(self._means, (above,), found)
        return found

    def unit_classes(self, snapshot: Snapshot, above: OutputsAbove, unit: int, job: JobContext) -> UnitClasses:
        """Return the classes that a unit contributes to; for a layer without a linear head, on its strongest activations."""
        if above.head is not None:
            return self.means(snapshot, above, job).unit_classes(unit)
        _, index, info = self._index.require(above.info.name)
        number = checked_unit(above, unit)
        crops = [activation.image for activation in index.top(info.name, number)[:K]]
        inputs = torch.stack([pixels for pixels, _ in self._images.get(snapshot, crops)])
        return unit_classes_by_switching_off(above, to_model(inputs, above.bundle.model), number, job)

    def class_contributions(self, snapshot: Snapshot, above: OutputsAbove, target: int, job: JobContext) -> ClassContributions:
        """Return the mean contribution of every unit to a class."""
        if above.head is not None:
            return self.means(snapshot, above, job).class_contributions(target)
        return class_contributions_by_gradient(above, snapshot.images, target, job)

    def feeders(self, snapshot: Snapshot, layer: str, unit: int, job: JobContext) -> Feeders:
        """Return the feeders of a unit at its strongest activations in the index. Raises ServiceError while there is no index."""
        finder = FeederFinder(snapshot.bundle)
        info = finder.layer(layer)
        number = finder.unit(info, unit)
        key = (snapshot.version, info.name, number)
        with self._lock:
            found = self._feeders.get(key)
        if found is None:
            job.check_cancelled("The tree was cancelled")
            _, index, _ = self._index.require(info.name)
            crops = finder.crops(info, number, index, snapshot.images)[:K]
            inputs = torch.stack([pixels for pixels, _ in self._images.get(snapshot, crops)])
            found = finder.find(info, number, inputs, job, crops)
            self._keep(self._feeders, key, found, 1024)
        return found

    def keep_only(self, version: int) -> None:
        """Remove what belongs to other versions of the snapshot."""
        with self._lock:
            _drop_others(self._feeders, version)

    def _keep(self, cache: OrderedDict[Key, Value], key: Key, value: Value, limit: int = _KEPT) -> None:
        with self._lock:
            cache[key] = value
            while len(cache) > limit:
                cache.popitem(last=False)


def _drop_others(cache: OrderedDict[Key, Value], version: int) -> None:
    for key in [key for key in cache if key[0] != version]:
        del cache[key]
