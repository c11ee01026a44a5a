"""The recipe's defaults are the paper's, its values are checked, and what is written of it is plain."""

import json

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import TrainingError
from deconvwidgets.instruments.training.compute.recipe import recipe_with


def test_the_defaults_are_those_of_the_paper():
    recipe = dw.Recipe().resolved(of_paper=True)
    paper = (128, 1e-2, 0.9, 1e-2, 0.1, True, (0, 1, 2, 5, 10, 20, 30, 40, 64))
    assert paper == (
        recipe.batch_size, recipe.learning_rate, recipe.momentum, recipe.initial_std, recipe.max_filter_rms, recipe.flips,
        recipe.save_epochs,
    )  # fmt: skip
    other = dw.Recipe(max_filter_rms=0.3).resolved(of_paper=False)
    assert (other.initial_std, other.max_filter_rms) == (None, 0.3)


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0}, {"batch_size": 1.5}, {"learning_rate": 0}, {"momentum": 1}, {"weight_decay": -1e-4}, {"dropout": 1},
        {"initial_std": "auto "}, {"max_filter_rms": 0}, {"annealing_factor": 1}, {"annealing_patience": 0}, {"crops": "centre"},
        {"flips": 1}, {"validation_share": 1}, {"save_epochs": 5}, {"save_epochs": [-1]}, {"seed": -1}, {"optimizer": "adam"},
        {"schedule": 0.1}, {"memory_share": 2}, {"learning_rate": float("nan")}, {"state_seconds": True},
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused_by_the_name_of_its_field(fields):
    with pytest.raises(TrainingError, match=next(iter(fields))):
        dw.Recipe(**fields)


def test_an_unknown_field_is_refused_with_those_there_are():
    with pytest.raises(TrainingError, match=r"'lr'\. Did you mean learning_rate\? A recipe has epochs, "):
        recipe_with(None, {"lr": 0.1})
    with pytest.raises(TrainingError, match=r"The folder is out="):
        recipe_with("runs/first", {})


def test_a_recipe_is_written_as_json():
    plain = dw.Recipe(optimizer=torch.optim.AdamW, save_epochs=range(3)).to_plain()
    assert json.loads(json.dumps(plain))["optimizer"] == "AdamW"
    assert plain["save_epochs"] == [0, 1, 2]
