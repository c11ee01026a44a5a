"""A map of the units of a layer: two dimensions from the correlation of their activations.

The distance of two units is that of their profiles (`Profiles`), the square root of 2 - 2 r for the correlation r. PCA of the profiles
keeps these distances best among all linear projections (classical scaling); t-SNE (van der Maaten & Hinton 2008) and UMAP keep neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.queries.correlation import Profiles
from deconvwidgets.records.unit_relations import UnitMap

MapMethod = Literal["auto", "pca", "tsne", "umap"]
Placer = Callable[[NDArray[np.float64], int], NDArray[np.float64]]  # points (points, 2) from profiles and a seed
_METHODS = ("auto", "pca", "tsne", "umap")
_PERPLEXITY = 30.0  # scikit-learn's default; less for few units
_FEWEST = 5  # units that t-SNE and UMAP can place
_MAX_SEED = 2**32 - 1  # of NumPy's generators


def unit_map(profiles: Profiles, layer: str, samples: int, method: str, seed: int) -> UnitMap:
    """Return the map of the units of a layer. "auto" is "tsne" if scikit-learn is installed and there are enough units, else "pca".

    Raises
    ------
    ActivationIndexError
        If the method is unknown, its package is not installed, or there are too few units for it.
    """
    one_of(method, "method", _METHODS, ActivationIndexError)
    seed = integer(seed, "seed", 0, _MAX_SEED, ActivationIndexError)
    enough = len(profiles.units) >= _FEWEST
    if method == "auto":
        method = "tsne" if enough and find_spec("sklearn") is not None else "pca"
    if method != "pca" and not enough:
        raise ActivationIndexError(
            f"{layer} has {len(profiles.units)} units that vary over the sampled crops, {method} needs {_FEWEST}: take method='pca'."
        )
    place = _PLACERS[method]()  # loads the package first: only the libraries that are loaded can be limited
    with threadpool_limits(limits=1):  # the result does not depend on the number of cores, and threads do not wait for busy ones
        placed = place(profiles.rows, seed)
    return UnitMap(layer, method, profiles.units, scaled(placed), profiles.left_out, samples, seed)


def principal_coordinates(rows: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Return the first two principal components (points, 2) of points (points, dimensions). The largest entry of each is positive."""
    components = np.zeros((len(rows), 2))
    if len(rows) > 1:
        left, strength, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        found = min(2, len(strength))
        components[:, :found] = left[:, :found] * strength[:found]
        largest = np.abs(np.round(components, 9)).argmax(axis=0)
        components *= np.where(components[largest, [0, 1]] < 0, -1.0, 1.0)  # a decomposition leaves the signs open
    return components


def scaled(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return points (points, 2) moved and scaled, equally on both axes, so that the larger extent is from -1 to 1."""
    if not len(points):
        return points.astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) / 2
    return np.asarray((points - (low + high) / 2) / (extent or 1.0), np.float32)


def _tsne() -> Placer:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ActivationIndexError(
            "t-SNE needs scikit-learn: pip install 'deconvwidgets[transfer]'. method='pca' does not need it."
        ) from error

    def place(rows: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
        start = scaled(principal_coordinates(rows)) * np.float32(1e-4)  # small, as van der Maaten & Hinton advise
        perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
        tsne = TSNE(n_components=2, perplexity=perplexity, init=start, random_state=seed, n_jobs=1)
        return np.asarray(tsne.fit_transform(rows.astype(np.float32)), np.float64)

    return place


def _umap() -> Placer:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ActivationIndexError("UMAP needs umap-learn: pip install umap-learn. method='pca' does not need it.") from error

    def place(rows: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
        neighbours = min(15, len(rows) - 1)  # umap-learn's default; less for few units
        umap = UMAP(n_components=2, n_neighbors=neighbours, init=principal_coordinates(rows), random_state=seed, n_jobs=1)
        return np.asarray(umap.fit_transform(rows), np.float64)

    return place


_PLACERS: dict[str, Callable[[], Placer]] = {"pca": lambda: principal_coordinates, "tsne": _tsne, "umap": _umap}
