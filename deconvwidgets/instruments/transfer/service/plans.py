"""Runs to start: settings that were checked, with the photographs, the layer and the paper's rows that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.muted_units import UnitsOfLayers, muted_units
from deconvwidgets.instruments.transfer.compute.paper import paper_rows
from deconvwidgets.instruments.transfer.muting import parse_units
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.instruments.transfer.service.base_run import settings_of_head
from deconvwidgets.instruments.transfer.service.checks import check_run, layer_of
from deconvwidgets.instruments.transfer.service.datasets import DatasetCatalog
from deconvwidgets.instruments.transfer.service.runs import RunInputs, TransferRun
from deconvwidgets.models.bundle import ModelBundle


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run whose settings were checked, before it has a number."""

    inputs: RunInputs
    images: ImageSet


def plan_run(datasets: DatasetCatalog, settings: TransferSettings, bundle: ModelBundle, base: TransferRun | None = None) -> PlannedRun:
    """Check settings, and return the run that they start. `base` is the run with all units, if this one leaves some out.

    Raises what `TransferApi.start` raises.
    """
    images, network = datasets.images(settings), bundle.network
    info = check_run(settings, images, bundle, network)
    layer = info.short_name
    paper = paper_rows(images.name, settings.images_per_class, layer, len(network.feature_map_layers), bool(settings.curve))
    return PlannedRun(RunInputs(settings, bundle, layer, paper, base), images)


def plan_without_units(
    datasets: DatasetCatalog, units: UnitsOfLayers | str, base: TransferRun | None, bundle: ModelBundle, own_images: str
) -> list[PlannedRun]:
    """Return the run that repeats `base` without some units; without a base, also the run with all units, which comes first.

    Parameters
    ----------
    bundle : ModelBundle
        The service's model, whose head says what to train if there is no base.
    own_images : str
        The name of the service's image set.

    Raises what `TransferApi.solve_again` raises.
    """
    pairs = parse_units(units) if isinstance(units, str) else units
    planned: list[PlannedRun] = []
    if base is None:
        planned = [plan_run(datasets, settings_of_head(bundle, own_images), bundle)]
    inputs = planned[0].inputs if base is None else base.inputs
    settings, bundle = inputs.settings, inputs.bundle
    muted = muted_units(bundle.network, layer_of(settings, bundle.network), pairs, bundle.name).units
    if not muted:
        raise HeadError("There are no units to leave out: name at least one, such as 'conv5 133, 254'.")
    return [*planned, plan_run(datasets, replace(settings, muted=muted, curve=()), bundle, base)]
