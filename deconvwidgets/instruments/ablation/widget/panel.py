"""The AblationPanel: training the variants of a network and comparing them in a notebook (Zeiler & Fergus 2014, table 3)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.ablation.records import AblationStatus, AblationTable
from deconvwidgets.instruments.ablation.service.protocol import AblationService
from deconvwidgets.instruments.ablation.widget.messages import HANDLERS
from deconvwidgets.instruments.ablation.widget.state import MESSAGES, checked_state
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Request
from deconvwidgets.widgets.state import State, StateTrait


class AblationPanel(Explorer):
    """Choose variants of a network, train them alike with several seeds, and compare them while they are trained.

    Everything goes through the folder of the study. So a panel also shows a study that a script or another kernel trains, and one that
    is complete; it can be cancelled from any panel and resumed. A click opens a variant's network in a LayerExplorer.

    Source: Zeiler & Fergus 2014, table 3.

    Parameters
    ----------
    study : AblationStudy, str, path, sequence, mapping or AblationService
        A study, or its folder. Or, with `images` and `out`, the variants to train, as for `dw.run_ablation`.
    images : ImageSet, optional
        Labelled photographs. With a folder: those of the study, for LayerExplorers.
    recipe : Recipe, optional
        How all variants are trained.
    seeds : int or sequence of int
        A number of seeds, or the seeds.
    out : str or path, optional
        The folder of a study to train.
    folder : str or path, optional
        The folder of a study to watch. It need not exist yet.
    state : mapping, optional
        A state, or a part of one, such as {"measure": "top5"}.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.
    **options
        Other arguments of `dw.run_ablation` (baseline, validation, input_size, overwrite, device) and fields of the recipe.

    Attributes
    ----------
    summary : dict
        The phase of the study, and the mean top-1 error of each variant. Read-only.

    Raises
    ------
    AblationError
        If the variants cannot be trained alike, or the folder cannot be read.
    ServiceError
        For an invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> panel = dw.AblationPanel(folder="runs/table3")
    >>> panel
    AblationPanel(runs/table3, new)
    >>> panel.close()
    """

    FRONT_END = "ablation"
    MESSAGES = MESSAGES
    SERVICE = AblationService
    SERVICE_EXAMPLE = "a study or its folder, or what to train, such as dw.AblationPanel('table3', images, out='runs/table3')"
    HAS_MODEL = False
    HANDLERS = HANDLERS
    EVENTS = SUMMARY_EVENTS = frozenset({"ablation"})
    FILES: ClassVar[Mapping[str, str]] = {f".{suffix}": f"ablation.{suffix}" for suffix in ("csv", "json", "html", "png", "svg", "pdf")}

    _service: AblationService
    _made_service = False
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(
        self,
        study: Any = None,
        images: Any = None,
        recipe: Any = None,
        seeds: int | Sequence[int] = 3,
        out: str | os.PathLike[str] | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        state: Mapping[str, Any] | None = None,
        height: int = 760,
        **options: Any,
    ) -> None:
        traits = type(self).class_trait_names()
        arguments = {name: options.pop(name) for name in list(options) if name not in traits}
        if out is None and arguments:
            options |= arguments  # `Explorer` refuses them by name
        service = study
        if not isinstance(study, AblationService) or folder is not None or out is not None:
            # A widget never imports what computes.
            make = import_module("deconvwidgets.instruments.ablation.service.opening").open_service
            service = make(study, images, recipe, seeds, out, folder, arguments if out is not None else {})
            if service is None:
                self._require_service(study)
        super().__init__(service, state, height=height, **options)
        self._made_service = service is not study

    def close(self) -> None:
        """Remove every view. A training goes on. Model services that the panel made for networks end as soon as no explorer uses them."""
        if self._made_service:
            self._service.give_up_model_services()
        super().close()

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        table = self._service.status().table
        return checked_state(state, current, [row.variant.name for row in table.rows], table.seeds)

    def _summarize(self) -> State:
        status = self._service.status()
        table = status.table
        if not table.complete:
            return {}
        errors = {row.variant.name: None if row.top1_error is None else row.top1_error.mean for row in table.rows}
        counts = {"complete": table.complete, "planned": table.planned}
        return {"folder": table.folder, "phase": status.phase, **counts, "baseline": table.baseline, "top1_error": errors}

    def _service_of(self, request: Request) -> Any:
        """Return the service of the run's network that a request names."""
        run = request.get("run")
        if not isinstance(run, list) or len(run) != 2 or not isinstance(run[0], str):
            raise request.invalid("run", "[variant, seed]")
        return self._service.model_service(run[0], run[1])

    @property
    def status(self) -> AblationStatus:
        """How far the study is, with its table."""
        return self._service.status()

    @property
    def table(self) -> AblationTable:
        """The numbers as they stand."""
        return self._service.status().table

    def layer_explorer(self, variant: str, seed: int | None = None) -> Any:
        """Return a LayerExplorer of a variant's network, of its first complete run by default.

        Raises
        ------
        AblationError
            If there is no such run or no checkpoint yet, or if the images or what builds the network are not known to the panel.
        """
        return import_module("deconvwidgets").LayerExplorer(self._service.model_service(variant, seed))

    def start(self, variants: Sequence[str] | None = None) -> None:
        """Train the runs that are not complete, of some variants or all, and return at once.

        Raises
        ------
        AblationError
            If this panel only watches a folder, if a study is trained there, if it is complete, or for an unknown variant.
        """
        self._service.start(variants)

    def cancel(self) -> None:
        """Ask the study to save its state and to stop, in whichever process it runs. Raises AblationError if none is trained."""
        self._service.cancel()

    def wait(self, timeout: float | None = None) -> AblationTable:
        """Wait until no run is trained, and return the table. Raises ServiceError if one still is after `timeout` seconds."""
        self._service.wait(timeout)
        self._update_summary()
        return self.table

    def save(self, path: str | Path) -> Path:
        """Save the table as PNG, SVG, PDF, HTML, CSV or JSON, by the suffix. JSON has all runs and their curves.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, as long as no run is complete, or if the file cannot be written.
        """

        def make(kind: Any) -> bytes:
            return self._service.file(kind)

        return self._save(path, make)

    def __repr__(self) -> str:
        status = self._service.status()
        table = status.table
        runs = f", {table.complete} of {table.planned} runs complete" if table.planned else ""
        return f"AblationPanel({table.folder}, {status.phase}{runs})"

    def _wait_for_image(self) -> None:
        """Do not wait: a study may take days."""
        if not self.table.complete:
            raise ServiceError("No run is complete yet: start the study with panel.start(), and wait with panel.wait().")

    def _static_image(self) -> bytes | None:
        """Return a PNG of the table; None as long as no run is complete."""
        table = self.table
        if not table.complete:
            return None
        return self._cached_image(repr(table), lambda: self._service.file("ablation.png"))
