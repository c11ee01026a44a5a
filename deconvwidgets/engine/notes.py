"""Messages to the user about how a model is run."""

from __future__ import annotations

from deconvwidgets.engine.graph import Graph


def notes_on_running(graph: Graph | None, reason: str | None, single: bool) -> tuple[str, ...]:
    """Return messages about a model that cannot be traced, that is run image by image, or whose layers are overwritten in place.

    Parameters
    ----------
    graph : Graph or None
        None if the model cannot be traced.
    reason : str or None
        Why it cannot be traced.
    single : bool
        Whether a batch is run image by image.
    """
    notes: list[str] = []
    if graph is None:
        notes.append(f"The model cannot be traced ({reason}): projections run on whole images, with the same result but slower.")
    if single:
        notes.append("Images are run one by one, because the model's answer for an image may depend on the other images of a batch.")
    if graph is not None:
        names = {node: call for call, node in reversed(list(graph.calls.items()))}
        for before, after in graph.trace.overwritten:
            if before in names and after not in names and len(after.users) > 1:  # perhaps by its name before
                notes.append(
                    f"The output of '{names[before]}' is overwritten in place by {graph.operations[after].name}: code that reads it "
                    "afterwards, such as a skip connection, gets the overwritten values."
                )
    return tuple(notes)
