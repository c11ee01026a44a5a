"""The numbers of an ablation study in words."""

from __future__ import annotations

from deconvwidgets.instruments.ablation.records import AblationRow, AblationTable, Difference, Estimate
from deconvwidgets.instruments.ablation.summary import METHOD


def error_text(estimate: Estimate | None) -> str:
    """Return an error in percent, with its deviation.

    >>> error_text(Estimate(0.4, 0.012, 3)), error_text(None)
    ('40.0 ± 1.2%', '')
    """
    if estimate is None:
        return ""
    deviation = "" if estimate.std is None else f" ± {100 * estimate.std:.1f}"
    return f"{100 * estimate.mean:.1f}{deviation}%"


def difference_text(difference: Difference | None) -> str:
    """Return a difference in percentage points, with its interval.

    >>> difference_text(Difference(0.021, (-0.004, 0.046), 3))
    '+2.1 [−0.4, +4.6]'
    """
    if difference is None:
        return ""
    interval = difference.interval
    bounds = "" if interval is None else f" [{_signed(interval[0])}, {_signed(interval[1])}]"
    return f"{_signed(difference.mean)}{bounds}"


def parameters_text(count: int) -> str:
    """Return a number of parameters.

    >>> parameters_text(62_357_608), parameters_text(4_711)
    ('62.4 million', '4,711')
    """
    return f"{count / 1e6:.1f} million" if count >= 1_000_000 else f"{count:,}"


def speed_text(estimate: Estimate | None) -> str:
    """Return images per second."""
    return "" if estimate is None else f"{estimate.mean:,.0f}"


def paper_text(row: AblationRow) -> str:
    """Return the paper's validation errors, and the difference to the network that it changed."""
    paper = row.variant.paper
    if paper is None:
        return ""
    change = paper.top1 - paper.baseline_top1
    return f"{100 * paper.top1:.1f}%" + (f" ({_signed(change)})" if abs(change) > 1e-9 else "")


def title(table: AblationTable) -> str:
    """Return what was compared."""
    return f"{len(table.rows)} variants trained on {table.images}"


def subtitle(table: AblationTable) -> str:
    """Return how far the study is."""
    seeds = "1 seed" if len(table.seeds) == 1 else f"{len(table.seeds)} seeds"
    return f"{table.complete} of {table.planned} runs complete, {table.epochs} epochs, {seeds}"


def caption(table: AblationTable) -> str:
    """Return how the numbers are meant."""
    size = " x ".join(map(str, table.input_size[1:]))
    parts = [
        f"{table.training:,} training and {table.validation:,} validation photographs of {table.classes} classes at {size} pixels",
        f"Errors after the last epoch, mean ± standard deviation over seeds, top-1 on validation photographs unless said otherwise; the "
        f"training error is measured in evaluation mode on central crops. Differences to {table.baseline} in percentage points: {METHOD}; "
        "each interval stands for itself, and among many some exclude 0 by chance",
        "Images/s are those of training, on a machine that may have done other work",
        "The paper's numbers are errors on ImageNet 2012, in brackets the difference to the network that it changed",
        *(note.rstrip(".") for note in table.notes),
    ]
    return ". ".join(parts) + ". After Zeiler & Fergus 2014, table 3."


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")
