"""The overview of a service, from its snapshot."""

from __future__ import annotations

from collections.abc import Iterable

from deconvwidgets.compute.devices import device_name
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.index_source import K
from deconvwidgets.service.snapshot import Snapshot


def make_overview(snapshot: Snapshot, state_notes: Iterable[str] = (), host: str = "") -> Overview:
    """Return a description of the model, the image set and the layers.

    `state_notes` are sentences about the state of the service, of which empty ones are left out. `host` is the name of this machine if the
    notebook runs on another one.
    """
    bundle, index = snapshot.bundle, snapshot.index
    notes = [*bundle.notes, *snapshot.notes]
    if bundle.classifier is None and bundle.quantity is None and not any("classifier" in note for note in bundle.notes):
        notes.append("The model has no classifier, so there are no predictions: only the photographs' own labels are shown.")
    notes += [note for note in state_notes if note]
    return Overview(
        version=snapshot.version,
        model=bundle.name,
        weights=bundle.weights,
        trained=bundle.trained,
        classifier=bundle.classifier,
        quantity=None if bundle.classifier is None else bundle.quantity,
        images=snapshot.images.name,
        photographs=snapshot.images.source_count,
        crops=len(snapshot.images),
        skipped=snapshot.skipped(),
        layers=tuple(map(snapshot.summary, snapshot.listed)),
        k=K if index is None else min(K, index.k),
        device=device_name(bundle),
        index_ready=snapshot.complete,
        opened=tuple(map(snapshot.summary, snapshot.opened)),
        notes=tuple(dict.fromkeys(notes)),
        units=snapshot.units,
        host=host,
        images_digest=snapshot.images.digest,
    )
