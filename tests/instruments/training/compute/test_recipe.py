"""The recipe's defaults are the paper's, its values are checked, and what is written of it is plain."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import TrainingError
from deconvwidgets.instruments.training.compute.function_names import function_name
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


def halved(every):
    return lambda epoch: 0.1 * 0.5 ** (epoch // every)


def written(schedule):
    return dw.Recipe(schedule=schedule).to_plain()["schedule"]


def named(epoch):
    return 0.1


def test_functions_without_a_name_of_their_own_are_told_apart_by_what_they_compute():
    assert written(named) == "named"
    assert written(lambda epoch: 0.1) == written(lambda epoch: 0.1) != written(lambda epoch: 0.2)
    assert written(lambda epoch: min(epoch, 1)) != written(lambda epoch: max(epoch, 1))
    assert written(halved(2)) == written(halved(2)) != written(halved(3))
    assert written(partial(pow, 0.5)) == written(partial(pow, 0.5)) != written(partial(pow, 0.6))
    assert written(lambda epoch, rate=1: rate) != written(lambda epoch, rate=2: rate)
    ways = [lambda parameters, lr=lr: torch.optim.AdamW(parameters, lr=lr) for lr in (1e-3, 1e-3, 1e-4)]
    first, same, other = map(function_name, ways)
    assert first == same != other


def test_the_digest_of_a_function_is_the_same_in_another_process():
    code = (
        "import deconvwidgets as dw\n"
        "print(dw.Recipe(schedule=lambda epoch: 0.1 if str(epoch) in {'1', '2', '3'} else 0.2).to_plain()['schedule'])"
    )
    runs = [subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True) for seed in "12"]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.startswith(b"<lambda> ")
