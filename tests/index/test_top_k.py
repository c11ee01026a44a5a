"""RunningTopK: updates and merges in any grouping and order give the result of one sort of everything."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.errors import ModelError
from deconvwidgets.index.top_k import EMPTY, RunningTopK

UNITS = 2
# Few distinct values, sources, crops and positions, so that ties are frequent.
entry = st.tuples(
    st.integers(0, 3),  # source
    st.integers(0, 2),  # crop
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0, np.inf, EMPTY]), min_size=UNITS, max_size=UNITS),
    st.integers(0, 2),
    st.integers(0, 2),
)


def reference(entries, unit, k, per_source):
    """Sort everything once, then select greedily."""
    flat = {(-values[unit], source, source * 3 + crop, row, column) for source, crop, values, row, column in entries}
    selected, per_photograph = [], Counter()
    for row in sorted(row for row in flat if row[0] < np.inf):
        if per_source is None or per_photograph[row[1]] < per_source:
            per_photograph[row[1]] += 1
            selected.append(row)
    return selected[:k]


def updated(ranking, entries):
    if not entries:
        return ranking
    sources, crops, values, rows, columns = map(np.array, zip(*entries, strict=True))
    shape = (len(entries), UNITS)
    wide = [np.broadcast_to(position[:, None], shape) for position in (rows, columns)]
    ranking.update(values, sources, sources * 3 + crops, *wide)
    return ranking


def contents(ranking, unit):
    count = ranking.counts[unit]
    table = zip(-ranking.values[unit], ranking.sources[unit], ranking.crops[unit], ranking.rows[unit], ranking.columns[unit], strict=True)
    return [tuple(row) for row in table][:count]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(entry, max_size=24), st.integers(1, 5), st.sampled_from([1, 2, None]), st.data())
def test_any_split_and_order_equals_one_sort(entries, k, per_source, data):
    shuffled = data.draw(st.permutations(entries))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(entries)), max_size=4)))
    parts = [shuffled[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(entries)], strict=True)]
    rankings = []
    for part in parts:
        ranking = RunningTopK(UNITS, k, per_source)
        middle = data.draw(st.integers(0, len(part)))
        rankings.append(updated(updated(ranking, part[:middle]), part[middle:]))
    while len(rankings) > 1:  # merge in any tree
        left = rankings.pop(data.draw(st.integers(0, len(rankings) - 1)))
        right = rankings.pop(data.draw(st.integers(0, len(rankings) - 1)))
        rankings.append(left.merge(right))
    for unit in range(UNITS):
        assert contents(rankings[0], unit) == reference(entries, unit, k, per_source)


def test_a_stronger_crop_of_the_same_photograph_replaces_a_weaker_one():
    ranking = RunningTopK(1, k=2)
    ranking.update([[1.0], [0.9], [2.0]], [0, 1, 0], [0, 2, 1], 0, 0)
    assert ranking.crops.tolist() == [[1, 2]]
    assert ranking.values.tolist() == [[2.0, 0.9]]


def test_ties_are_ordered_by_source_crop_row_and_column():
    ranking = RunningTopK(1, k=6, per_source=None)
    ids = [(1, 3, 0, 0), (0, 2, 0, 0), (0, 1, 1, 0), (0, 1, 0, 2), (0, 1, 0, 1)]
    for source, crop, row, column in ids:
        ranking.update([[1.0]], [source], [crop], [[row]], [[column]])
    assert ranking.ids[:, 0, :5].T.tolist() == [list(row) for row in sorted(ids)]


def test_nan_raises_an_error():
    with pytest.raises(ModelError, match="unit 1 is NaN"):
        RunningTopK(2).update([[0.0, np.nan]], [0], [0], 0, 0)


def test_negative_ids_raise_an_error():
    with pytest.raises(ValueError, match="negative"):
        RunningTopK(1).update([[1.0]], [-1], [0], 0, 0)


def test_missing_activations_are_marked():
    ranking = RunningTopK(2, k=3)
    ranking.update([[1.0, EMPTY]], [4], [7], [[2, 0]], [[3, 0]])
    assert ranking.counts.tolist() == [1, 0]
    assert ranking.crops.tolist() == [[7, -1, -1], [-1, -1, -1]]
    assert ranking.values[0].tolist() == [1.0, EMPTY, EMPTY]


def test_memory_does_not_grow_with_images():
    ranking = RunningTopK(3, k=9)
    generator = np.random.default_rng(0)
    for batch in range(50):
        crops = np.arange(batch * 8, batch * 8 + 8)
        ranking.update(generator.normal(size=(8, 3)), crops // 2, crops, 0, 0)
    assert ranking.values.shape == (3, 9)
    assert ranking.values.base is None
    assert ranking._ids.shape == (4, 3, 9)


def test_merge_returns_a_new_ranking_and_requires_equal_settings():
    left, right = RunningTopK(1, 2), RunningTopK(1, 2)
    left.update([[1.0]], [0], [0], 0, 0)
    right.update([[3.0]], [1], [1], 0, 0)
    assert left.merge(right).values.tolist() == [[3.0, 1.0]]
    assert left.values.tolist() == [[1.0, EMPTY]]
    with pytest.raises(ValueError, match="same units"):
        left.merge(RunningTopK(1, 3))
