"""pandas, which is optional: an extra of the package."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from deconvwidgets.errors import DeconvWidgetsError


def import_pandas(tables: str, without: str, error: type[DeconvWidgetsError]) -> ModuleType:
    """Return pandas.

    Parameters
    ----------
    tables : str
        What needs it, such as "Tables of an index".
    without : str
        What to do without it, such as "index.unit_columns() returns arrays".
    error : type
        The error to raise if it is not installed.

    Examples
    --------
    >>> from deconvwidgets.errors import ComparisonError
    >>> import_pandas("Tables of a comparison", "comparison.to_csv() returns CSV", ComparisonError).DataFrame({"unit": [0, 1]}).shape
    (2, 1)
    """
    try:
        return import_module("pandas")
    except ImportError as missing:
        raise error(f"{tables} need pandas: pip install 'deconvwidgets[dataframe]'. Without it, {without}.") from missing
