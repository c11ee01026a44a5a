"""dw.run_ablation as a whole: what is trained, that it is paired and resumed, and what is refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.log_file import request_stop
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import AblationError, JobCancelledError, TrainingError
from deconvwidgets.images.labels import labels_of
from deconvwidgets.images.splits import hold_out
from deconvwidgets.instruments.ablation.compute.study_file import MEASURED_FILE, read_measured
from tests.instruments.ablation.conftest import QUICK, SPECS, net, study_of
from tests.instruments.training.compute.conftest import CLASSES


def test_every_variant_is_trained_with_every_seed(study: dw.AblationStudy) -> None:
    table = study.table
    assert (table.complete, table.planned, table.baseline, table.seeds) == (6, 6, "whole", (0, 1))
    assert [row.variant.parameters for row in table.rows] == [
        sum(parameter.numel() for parameter in build(3).parameters()) for build in SPECS.values()
    ]
    assert {run.folder for run in study.runs} == {str(study.folder / name / f"seed {seed}") for name in SPECS for seed in (0, 1)}
    assert all(row.top5_error is None for row in table.rows)  # of three classes


def test_it_trains_in_inference_mode(coloured: Any, tmp_path: Path) -> None:
    fields = {"seeds": 1, "epochs": 1}
    with torch.inference_mode():
        found = study_of(coloured, tmp_path / "inference", {"function": net, "module": net(3)}, **fields).table  # both made in it
    usual = study_of(coloured, tmp_path / "usual", {"function": net}, **fields).table
    assert found.complete == 2
    assert (found.rows[0].top1_error, found.rows[0].train_error) == (usual.rows[0].top1_error, usual.rows[0].train_error)


def test_errors_are_those_of_the_networks_on_the_photographs(study: dw.AblationStudy, coloured: Any) -> None:
    """Against the bundle's own transform on the photographs, one by one."""
    labels = labels_of(coloured)
    for run in study.runs[1:3]:  # two variants, two seeds
        split = hold_out(labels, 0.1, run.seed)
        bundle = study.bundle(run.variant, run.seed)
        with torch.inference_mode():
            inputs = torch.stack([bundle.prepare(coloured.open_source(n)) for n in range(coloured.source_count)])
            wrong = bundle.model(inputs).argmax(1).numpy() != labels
        assert run.top1_error == pytest.approx(wrong[split.test].mean())
        assert run.train_error == pytest.approx(wrong[split.train].mean())


def test_the_top5_error_is_that_of_the_network_on_the_held_out_photographs(tmp_path: Path) -> None:
    """Of seven classes, by torch.topk on the bundle's own transform; images/s are the median over the epochs."""
    generator = np.random.default_rng(0)
    for number in range(7):
        (tmp_path / "images" / f"class {number}").mkdir(parents=True)
        for image in range(8):
            pixels = generator.integers(0, 30 * number + 60, (30, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / f"class {number}" / f"{image}.png")
    images = dw.open_images(tmp_path / "images")
    study = study_of(images, tmp_path / "study", {"whole": net}, seeds=1, validation_share=0.5, epochs=2)
    labels, (run,) = labels_of(images), study.runs
    bundle, held_out = study.bundle("whole", 0), hold_out(labels, 0.5, 0).test
    with torch.inference_mode():
        scores = bundle.model(torch.stack([bundle.prepare(images.open_source(int(source))) for source in held_out]))
    wrong = [label not in best for label, best in zip(labels[held_out], scores.topk(5).indices.tolist(), strict=True)]
    assert run.top5_error == pytest.approx(np.mean(wrong))
    assert 0 < run.top5_error < 1
    assert study.table.rows[0].top5_error is not None
    assert study.table.rows[0].top5_error.mean == pytest.approx(np.mean(wrong))
    lines = [json.loads(line) for line in (Path(run.folder) / "log.jsonl").read_text().splitlines()]
    speeds = [line["images_per_second"] for line in lines if "images_per_second" in line]
    assert run.images_per_second == pytest.approx(np.median(speeds))


def test_means_are_those_of_the_runs(study: dw.AblationStudy) -> None:
    row = study.table.rows[1]
    errors = [run.top1_error for run in row.runs]
    assert row.top1_error is not None
    assert (row.top1_error.mean, row.top1_error.std) == (pytest.approx(np.mean(errors)), pytest.approx(np.std(errors, ddof=1)))
    assert row.top1_difference is not None
    before = [run.top1_error for run in study.table.rows[0].runs]
    assert row.top1_difference.mean == pytest.approx(np.mean(np.subtract(errors, before)))


def test_a_run_is_that_of_train(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    alone = dw.train(SPECS["2 maps"], coloured, out=tmp_path, seed=1, device="cpu", progress=False, **QUICK)
    found = study.bundle("2 maps", 1).model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in alone.bundle.model.state_dict().items())


def test_a_study_is_opened_from_its_folder(study: dw.AblationStudy, coloured: Any) -> None:
    again = dw.AblationStudy(study.folder, SPECS, coloured)
    assert again.table == study.table
    assert "3 variants, 6 of 6 runs complete" in repr(again)
    assert again.checkpoints("whole", 1).epochs == (0, 1, 2)
    assert again.bundle("2 maps").categories == CLASSES
    assert [entry.epoch for entry in again.log("whole").epochs] == [0, 1, 2]
    with pytest.raises(AblationError, match=r"'whole' was built by a function|whole was built by a function"):
        dw.AblationStudy(study.folder).bundle("whole")
    with pytest.raises(AblationError, match="are not those of the study"):
        dw.AblationStudy(study.folder, SPECS, coloured.subset(range(40)))
    with pytest.raises(AblationError, match="without its images"):
        dw.AblationStudy(study.folder, SPECS).service("whole")


def test_finished_runs_are_kept_and_new_ones_added(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    kept = (folder / "whole" / "seed 0" / "log.jsonl").stat().st_mtime_ns
    longer = study_of(coloured, folder, {"whole": net, "one map": partial(net, maps=1)}, seeds=[0, 2])
    assert (folder / "whole" / "seed 0" / "log.jsonl").stat().st_mtime_ns == kept
    assert [row.variant.name for row in longer.table.rows] == [*SPECS, "one map"]
    assert longer.seeds == (0, 1, 2)
    complete = {(run.variant, run.seed) for run in longer.runs if run.complete}
    assert complete == {*((name, seed) for name in SPECS for seed in (0, 1)), ("whole", 2), ("one map", 0), ("one map", 2)}
    change = longer.table.rows[-1].top1_difference
    assert change is not None
    assert change.count == 2  # seeds 0 and 2


class StopAfter:
    """Cancels a job at a call, or asks the study to stop."""

    def __init__(self, calls: int, folder: Path | None = None) -> None:
        self.calls, self.folder = calls, folder

    def __call__(self) -> bool:
        self.calls -= 1
        if self.calls == 0 and self.folder is not None:
            request_stop(self.folder)
        return self.calls <= 0 and self.folder is None


@pytest.mark.parametrize("by_file", [True, False])
def test_a_stopped_study_resumes_to_the_same_numbers(study: dw.AblationStudy, coloured: Any, tmp_path: Path, by_file: bool) -> None:
    with pytest.raises(JobCancelledError, match="same arguments"):
        study_of(coloured, tmp_path, job=JobContext(cancelled=StopAfter(22, tmp_path if by_file else None)))
    stopped = dw.AblationStudy(tmp_path)
    assert 0 < sum(run.epoch > 0 for run in stopped.runs) < 6
    resumed = study_of(coloured, tmp_path)
    assert [(run.train_error, run.top1_error) for run in resumed.runs] == [(run.train_error, run.top1_error) for run in study.runs]


def test_another_training_in_a_folder_does_not_keep_the_measured_error(study: dw.AblationStudy, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    measured = folder / "whole" / "seed 0" / MEASURED_FILE
    plain = json.loads(measured.read_text())
    measured.write_text(json.dumps({**plain, "seconds": plain["seconds"] + 1}))
    run = dw.AblationStudy(folder).runs[0]
    assert (run.phase, run.train_error) == ("finished", None)
    assert dw.AblationStudy(folder).table.complete == 5
    measured.write_text(json.dumps({**plain, "train_error": 1.5}))
    with pytest.raises(AblationError, match="is damaged"):
        read_measured(measured.parent)


def test_more_epochs_make_earlier_runs_incomplete(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    longer = study_of(coloured, folder, {"whole": net}, epochs=3)
    assert [(run.complete, run.epoch) for run in longer.runs] == [(True, 3), (True, 3), *[(False, 2)] * 4]
    assert "4 of 6 runs are begun and not complete" in " ".join(longer.table.notes)


def test_fewer_epochs_than_a_run_has_are_refused_and_the_study_stays(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    kept = (folder / "study.json").read_bytes()
    with pytest.raises(AblationError, match=r"has a run of 2 epochs already \(whole, seed 0\), more than epochs=1: pass epochs=2 or more"):
        study_of(coloured, folder, {"new": net}, epochs=1)
    assert (folder / "study.json").read_bytes() == kept
    assert dw.AblationStudy(folder).table.complete == 6


def broken(classes: int) -> nn.Module:
    made = net(classes)
    with torch.no_grad():
        made[0].weight.fill_(float("nan"))  # type: ignore[index,union-attr,operator]
    return made


def test_a_run_that_fails_leaves_the_others(coloured: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="broken, seed 0: "):
        found = study_of(coloured, tmp_path, {"whole": net, "broken": broken}, seeds=1)
    assert [run.phase for run in found.runs] == ["complete", "failed"]
    assert "Failed: broken, seed 0" in " ".join(found.table.notes)
    with pytest.raises(AblationError, match="All runs failed: broken, seed 0"):
        study_of(coloured, tmp_path / "all", {"broken": broken}, seeds=1)


class OnlyInEvaluation(nn.Module):
    """A module with a fault that is met in training only."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise RuntimeError("a fault of the variant")
        return batch


def test_an_error_of_a_variants_own_code_leaves_the_others(coloured: Any, tmp_path: Path) -> None:
    def faulty(classes: int) -> nn.Module:
        return nn.Sequential(OnlyInEvaluation(), net(classes))

    with pytest.warns(UserWarning, match="faulty, seed 0: RuntimeError: a fault of the variant"):
        found = study_of(coloured, tmp_path, {"whole": net, "faulty": faulty, "2 maps": SPECS["2 maps"]}, seeds=1)
    assert [run.phase for run in found.runs] == ["complete", "failed", "complete"]


def test_overwriting_that_is_stopped_leaves_no_run_of_the_old_study(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    (folder / "whole" / "seed 0" / "my notes.txt").write_text("kept")
    with pytest.raises(JobCancelledError):
        study_of(coloured, folder, learning_rate=0.01, overwrite=True, job=JobContext(cancelled=StopAfter(22)))
    assert 0 < dw.AblationStudy(folder).table.complete < 6
    resumed = study_of(coloured, folder, learning_rate=0.01)
    rates = {json.loads((Path(run.folder) / "training.json").read_text())["recipe"]["learning_rate"] for run in resumed.runs}
    assert (resumed.table.complete, rates) == (6, {0.01})
    assert (folder / "whole" / "seed 0" / "my notes.txt").read_text() == "kept"


def test_given_weights_are_trained_further(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    bundle = study.bundle("whole", 0)
    before = {name: value.clone() for name, value in bundle.model.state_dict().items()}
    found = study_of(coloured, tmp_path, {"as it is": bundle, "again": bundle.with_units(None)}, seeds=1)
    first = found.checkpoints("as it is").bundle(0).model.state_dict()
    assert all(torch.equal(first[name], value) for name, value in before.items())
    assert all(torch.equal(bundle.model.state_dict()[name], value) for name, value in before.items())  # nothing is mutated
    assert {row.variant.origin for row in found.table.rows} == {"given weights"}
    one, other = found.runs
    assert (one.top1_error, one.train_error) == (other.top1_error, other.train_error)  # arms are trained alike
    with pytest.raises(AblationError, match="initial_std='he' would replace the weights of a"):
        study_of(coloured, tmp_path / "he", {"a": bundle}, initial_std="he")
    with pytest.raises(AblationError, match="predicts other classes"):
        study_of(coloured.only_classes(CLASSES[:2]), tmp_path / "other", {"a": bundle})


def test_auto_is_decided_once_for_all(coloured: Any, tmp_path: Path) -> None:
    from deconvwidgets.instruments.ablation.compute.plan import plan_study

    plan = partial(plan_study, images=coloured, recipe=None, seeds=1, fields={}, input_size=64, out=tmp_path)
    alone = plan(["zfnet", "zfnet_without_7"])
    assert (alone.recipe.initial_std, alone.recipe.max_filter_rms) == (1e-2, 0.1)
    mixed = plan({"zfnet": "zfnet", "mine": partial(net, any_size=True)})
    assert (mixed.recipe.initial_std, mixed.recipe.max_filter_rms) == (None, None)
    assert "none has the paper's initial weights" in " ".join(mixed.description.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specs": "table4"}, "no preset of variants 'table4'"),
        ({"specs": {}}, "specs must be a preset"),
        ({"specs": {"a/b": net}}, "name of a variant is that of its folder"),
        ({"specs": {"..": net}}, "name of a variant is that of its folder"),
        ({"specs": {"a": net, "A": net}}, "differ only in case"),
        ({"specs": {"a": 5}}, r"specs\['a'\] must be"),
        ({"specs": ["zfnet", "zfnet"]}, "same name twice"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": [1, 1]}, "different seeds"),
        ({"seeds": True}, "seeds must be"),
        ({"baseline": "other"}, "baseline must be one of"),
        ({"workers": 2}, "workers=2 is for engine='ray'"),
        ({"engine": "slurm"}, "no engine 'slurm'"),
        ({"validation_share": 0}, "compares validation errors"),
        ({"epoch": 4}, "Did you mean epochs"),
        ({"specs": {"a": nn.Linear(3, 3)}}, "cannot take inputs"),
        ({"overwrite": 1}, "overwrite must be True or False"),
    ],
)
def test_what_is_refused_before_training(coloured: Any, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((AblationError, TrainingError), match=message):
        study_of(coloured, tmp_path, **changes)
    assert not (tmp_path / "study.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.1}, "learning_rate=0.05, and this one has 0.1"),
        ({"input_size": 25}, "other input_size"),
        ({"specs": {"whole": partial(net, maps=3)}}, "another network 'whole'"),
    ],
)
def test_another_study_in_the_folder_is_refused(study: dw.AblationStudy, coloured: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AblationError, match=message):
        study_of(coloured, study.folder, **changes)


def test_arms_of_different_sizes_are_refused(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    with pytest.raises(AblationError, match="inputs of different sizes"):
        study_of(coloured, tmp_path, {"a": study.bundle("whole", 0), "b": partial(net, any_size=True)}, input_size=None)


def test_the_first_layers_of_krizhevsky_have_the_rest_of_zfnet() -> None:
    from deconvwidgets.instruments.ablation.compute.presets import KrizhevskyFirstLayers
    from deconvwidgets.models.zfnet import ZFNet

    ours, theirs = KrizhevskyFirstLayers(10, (64, 64)).eval(), ZFNet(10, (64, 64)).eval()
    inputs = torch.zeros(1, 3, 64, 64)
    assert ours(inputs).shape == theirs(inputs).shape
    assert [ours.features(inputs[:, :, :48]).shape[1:], ours.features[0].kernel_size] == [
        theirs.features(inputs[:, :, :48]).shape[1:],
        (11, 11),
    ]
    sizes = [{name: tuple(value.shape) for name, value in one.state_dict().items()} for one in (ours, theirs)]
    assert {name for name in sizes[0] if sizes[0][name] != sizes[1][name]} == {"features.0.weight"}


def test_the_preset_of_first_layers_says_all_that_differs_from_zfnet(coloured: Any, tmp_path: Path) -> None:
    from deconvwidgets.instruments.ablation.compute.plan import plan_study
    from deconvwidgets.instruments.training.compute.architecture import build_network

    plan = plan_study("first_layer", coloured, None, 1, tmp_path, fields={}, input_size=64)
    layers = [
        [module for module in build_network(entry.architecture, 3, 64, 0, None).model.modules() if isinstance(module, nn.Conv2d)]
        for entry in plan.variants
    ]
    settings = [[(one.kernel_size[0], one.stride[0]) for one in found] for found in layers]
    changed = [old for old, new in zip(*settings, strict=True) if old != new]
    first = plan.variants[0].variant
    assert first.description == "first two layers: " + " and ".join(f"{side} x {side} / {stride}" for side, stride in changed)
    assert plan.description.baseline == first.name  # the paper changed it into ZFNet
    assert all(entry.variant.paper.top1 == entry.variant.paper.baseline_top1 for entry in plan.variants if entry.variant.paper)


def test_an_operated_network_is_an_arm_of_its_own(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    bundle = study.bundle("whole", 0)
    grown = dw.surgery.resize_layer(bundle, "conv1", 9)  # without a change of the function
    found = study_of(coloured, tmp_path, {"as it is": bundle, "9 maps": grown}, seeds=1)
    first, second = found.table.rows
    assert second.variant.surgery == tuple(step.label for step in grown.surgery)
    assert second.variant.parameters == first.variant.parameters + 3 * (75 + 1) + 3 * 9 * 12
    assert first.runs[0].curve[0][2] == second.runs[0].curve[0][2]  # before training
    begun = found.checkpoints("9 maps").bundle(0).model.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in grown.model.state_dict().items())
    assert first.complete == second.complete == 1
