"""RunningTopK: updates and merges in any grouping and order give the result of one sort of everything."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.errors import ModelError
from deconvwidgets.index import top_k
from deconvwidgets.index.top_k import EMPTY, Entries, RunningTopK

UNITS = 2
# Few distinct values and photographs, so that ties are frequent. Photographs 0 and 3 are copies: what units do in them is the same.
COPY_OF = {0: 0, 1: 1, 2: 2, 3: 0}
value = st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0])
values_of_content = st.fixed_dictionaries(
    {(content, number): st.lists(value, min_size=UNITS, max_size=UNITS) for content in range(3) for number in range(2)}
)


def entries_of(crops, values):
    """Return what all units do in crops (source, number), which are numbered in this order."""
    rows = [
        (unit, values[COPY_OF[source], number][unit], source, 2 * source + number, number, 1, number, COPY_OF[source] + 100)
        for source, number in crops
        for unit in range(UNITS)
    ]
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)] or [np.zeros(0, np.int64)] * 8
    return Entries(columns[0], np.array([row[1] for row in rows], np.float32), *columns[2:])


def reference(crops, values, unit, k, per_source):
    """Sort everything once, then select greedily: of copies one crop, and a number of crops per content."""
    rows = sorted((-values[COPY_OF[source], number][unit], 2 * source + number, COPY_OF[source], number) for source, number in set(crops))
    seen, per_content, selected = set(), Counter(), []
    for negated, crop, content, number in rows:
        if (content, number) in seen or (per_source is not None and per_content[content] >= per_source):
            continue
        seen.add((content, number))
        per_content[content] += 1
        selected.append((-negated, crop))
    return selected[:k]


def state(ranking):
    return {name: array.tobytes() for name, array in ranking.tensors().items()}


def one(unit, value, source, crop, row=0, column=0, number=0, content=None):
    ids = (source, crop, row, column, number, source + 1 if content is None else content)
    return Entries(np.array([unit]), np.array([value], np.float32), *(np.array([part]) for part in ids))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=12),
    values_of_content,
    st.integers(1, 5),
    st.sampled_from([1, 2, None]),
    st.data(),
)
def test_any_split_order_and_merge_equals_one_sort(crops, values, k, per_source, data):
    shuffled = data.draw(st.permutations(crops))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(crops)), max_size=4)))
    rankings = []
    for start, stop in zip([0, *cuts], [*cuts, len(crops)], strict=True):
        ranking = RunningTopK(UNITS, k, per_source)
        middle = data.draw(st.integers(start, stop))
        ranking.offer(entries_of(shuffled[start:middle], values))
        if data.draw(st.booleans()):
            assert ranking.values.shape == (UNITS, k)  # ranks those that wait
        ranking.offer(entries_of(shuffled[middle:stop], values))
        rankings.append(ranking)
    while len(rankings) > 1:  # merge in any tree
        left = rankings.pop(data.draw(st.integers(0, len(rankings) - 1)))
        right = rankings.pop(data.draw(st.integers(0, len(rankings) - 1)))
        assert state(left.merge(right)) == state(right.merge(left))
        rankings.append(left.merge(right))
    assert state(rankings[0].merge(rankings[0])) == state(rankings[0])
    for unit in range(UNITS):
        count = rankings[0].counts[unit]
        found = list(zip(rankings[0].values[unit, :count].tolist(), rankings[0].crops[unit, :count].tolist(), strict=True))
        assert found == reference(crops, values, unit, k, per_source)


def test_a_stronger_crop_of_the_same_photograph_replaces_a_weaker_one():
    ranking = RunningTopK(1, k=2)
    for entries in (one(0, 1.0, 0, 0), one(0, 0.9, 1, 2), one(0, 2.0, 0, 1, number=1)):
        ranking.offer(entries)
    assert ranking.crops.tolist() == [[1, 2]]
    assert ranking.values.tolist() == [[2.0, np.float32(0.9)]]


def test_copies_take_one_place_and_the_first_crop_stands_for_them():
    for per_source in (1, 3, None):
        ranking = RunningTopK(1, k=3, per_source=per_source)
        for source in (5, 3, 4):
            ranking.offer(one(0, 1.0, source, source, content=77))
        assert ranking.crops.tolist() == [[3, -1, -1]]
        assert ranking.contents.tolist() == [[77, 0, 0]]


def test_contents_use_all_64_bits():
    ranking = RunningTopK(1, k=2)
    large = np.array([2**64 - 1, 2**63], np.uint64).view(np.int64)
    for source, content in enumerate(large):
        ranking.offer(one(0, 1.0, source, source, content=content))
    assert ranking.contents.tolist() == [[2**64 - 1, 2**63]]
    restored = RunningTopK.from_tensors(ranking.tensors(), 1, 2, 1)
    assert state(restored) == state(ranking)


def test_pairs_whose_hashes_agree_are_told_apart(monkeypatch):
    monkeypatch.setattr(top_k, "_may_repeat", lambda unit, content: True)
    ranking = RunningTopK(2, k=2)
    for source in range(3):
        ranking.offer(one(source % 2, float(source), source, source))
    assert ranking.crops.tolist() == [[2, 0], [1, -1]]


def test_nan_raises_an_error():
    with pytest.raises(ModelError, match="unit 1 is NaN"):
        RunningTopK(2).offer(one(1, np.nan, 0, 0))


def test_missing_activations_are_marked():
    ranking = RunningTopK(2, k=3)
    ranking.offer(one(0, 1.0, 4, 7))
    ranking.offer(one(1, EMPTY, 4, 7))
    assert ranking.counts.tolist() == [1, 0]
    assert ranking.crops.tolist() == [[7, -1, -1], [-1, -1, -1]]
    assert ranking.values[0].tolist() == [1.0, EMPTY, EMPTY]


def test_thresholds_rise_and_memory_does_not_grow_with_images(monkeypatch):
    monkeypatch.setattr(top_k, "_SMALLEST_BUFFER", 16)
    ranking, generator, changed = RunningTopK(3, k=9), np.random.default_rng(0), []
    for crop in range(500):
        for unit in range(3):
            before = ranking.thresholds.copy()
            changed.append(ranking.offer(one(unit, generator.normal(), crop, crop)))
            assert (ranking.thresholds >= before).all()
            assert changed[-1] or (ranking.thresholds == before).all()
    assert 0 < sum(changed) < 100
    assert ranking._waiting_count < 27
    assert ranking.values.shape == (3, 9)
    assert ranking.values.base is None
    assert ranking._ids.shape == (6, 3, 9)


def test_merge_returns_a_new_ranking_and_requires_equal_settings():
    left, right = RunningTopK(1, 2), RunningTopK(1, 2)
    left.offer(one(0, 1.0, 0, 0))
    right.offer(one(0, 3.0, 1, 1))
    assert left.merge(right).values.tolist() == [[3.0, 1.0]]
    assert left.values.tolist() == [[1.0, EMPTY]]
    with pytest.raises(ValueError, match="same units"):
        left.merge(RunningTopK(1, 3))


def test_parts_of_the_units_and_parts_joined():
    ranking = RunningTopK(4, k=2)
    for unit in range(4):
        ranking.offer(one(unit, unit + 1.0, unit, unit))
    parts = [ranking.take(0, 1), ranking.take(1, 4)]
    assert parts[1].crops.tolist() == [[1, -1], [2, -1], [3, -1]]
    assert state(RunningTopK.joined(parts)) == state(ranking)
    parts[1].offer(one(0, 9.0, 9, 9))
    assert ranking.crops[1].tolist() == [1, -1]


def test_state_that_does_not_fit_together_is_refused():
    ranking = RunningTopK(1, k=2)
    ranking.offer(one(0, 1.0, 0, 0))
    tensors = ranking.tensors()
    for name, array in (("rows", [[-1, -1]]), ("values", [[-np.inf, 1.0]]), ("crops", [[0]])):
        with pytest.raises(ValueError, match=r"incomplete|shape"):
            RunningTopK.from_tensors({**tensors, name: np.array(array)}, 1, 2, 1)
    with pytest.raises(KeyError):
        RunningTopK.from_tensors({}, 1, 2, 1)
