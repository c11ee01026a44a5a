"""Colours of classes: a class has the same colour in all maps."""

import re
from dataclasses import replace

import numpy as np
import pytest

from deconvwidgets.instruments.occlusion.service.class_colours import ClassColours


def replace_labels(maps, labels, unoccluded):
    return replace(maps, label=np.array(labels), unoccluded=replace(maps.unoccluded, label=unoccluded))


def test_colours_are_assigned_in_order_and_kept(api, make_request, settings):
    maps = api.maps(api.start_maps(make_request(), settings()))
    colours = ClassColours()
    first = colours.of(replace_labels(maps, [[7, 7, 5], [3, 3, -1]], unoccluded=9))
    assert list(first) == [3, 7, 5], "the most frequent first, then the lowest label"
    assert list(first.values()) == ["#f58518", "#54a24b", "#e45756"], "the first colour is that of the class of the unoccluded image"
    second = colours.of(replace_labels(maps, [list(range(40))], unoccluded=5))
    assert {label: second[label] for label in first} == first
    assert second[9] == "#4c78a8"
    assert len(set(second.values())) == 40
    assert colours.of(replace(maps, label=None)) == {}


@pytest.mark.slow
def test_figures_have_the_colours_of_the_api(service, api, make_request, settings):
    state = {"window": [4, 4], "patches": [[8, 8]]}
    for image in ("crop:3", "crop:1", "crop:0"):
        run = api.start_maps(make_request(image), settings())
        maps = api.maps(run)
        page = api.file("figure.html", make_request(image), run, state).decode()
        shown = dict(re.findall(r'<li><i style="background:(#\w+)"></i>(\w+)<', page))
        assert {maps.name(label): colour for label, colour in api.colours(maps).items()} == {name: colour for colour, name in shown.items()}
