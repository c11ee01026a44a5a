"""The callbacks for PyTorch Lightning and Hugging Face's Trainer, with the real libraries and short real trainings."""

import sys
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import deconvwidgets as dw
from deconvwidgets.errors import CheckpointError, ModelError
from deconvwidgets.models.libraries import import_library
from tests.checkpoints.nets import SIZE, make_net

pytestmark = pytest.mark.filterwarnings("ignore")


def _lightning():
    try:
        return import_library("lightning", "lightning").pytorch
    except ModelError as error:
        pytest.skip(str(error))


def _loader(count=16):
    torch.manual_seed(3)
    return DataLoader(TensorDataset(torch.rand(count, *SIZE), torch.arange(count) % 2), batch_size=4)


def _fit(folder, epochs, callbacks, seed=0, **options):
    pl = _lightning()

    class Classifier(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = make_net(seed)
            self.loss = nn.CrossEntropyLoss(weight=torch.ones(2))

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, index):
            loss = self.loss(self(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", self.loss(self(batch[0]), batch[1]))
            self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.05)

    model, path = Classifier(), options.pop("ckpt_path", None)
    trainer = pl.Trainer(
        max_epochs=epochs, callbacks=callbacks, default_root_dir=folder, logger=False, accelerator="cpu", enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip
    trainer.fit(model, _loader(), _loader(8), ckpt_path=path)
    trainer.save_checkpoint(folder / "end.ckpt")
    return model


@pytest.mark.slow
def test_lightning_records_and_resumes(tmp_path):
    def callback():
        return dw.lightning_callback(tmp_path / "run", "net", epochs=[1, 3, 4], input_size=SIZE, categories=["no", "yes"])

    first = _fit(tmp_path, 3, [callback()])
    opened = dw.open_checkpoints(tmp_path / "run", build=make_net)
    assert (opened.epochs, opened.categories) == ((0, 1, 3), ("no", "yes"))
    assert torch.equal(opened.bundle(0).model.fc.weight, make_net().fc.weight)
    assert torch.equal(opened.bundle(3).model.fc.weight, first.net.fc.weight)
    second = _fit(tmp_path, 4, [callback()], ckpt_path=tmp_path / "end.ckpt")
    opened = dw.open_checkpoints(tmp_path / "run", build=make_net)
    assert torch.equal(opened.bundle(0).model.fc.weight, make_net().fc.weight)
    assert torch.equal(opened.bundle(4).model.fc.weight, second.net.fc.weight)
    logged = opened.log.epochs
    assert [entry.epoch for entry in logged] == [1, 2, 3, 4]
    for entry in logged:
        assert None not in (entry.train_loss, entry.validation_loss, entry.validation_top1)
        assert (entry.learning_rate, entry.metrics) == (0.05, {})


@pytest.mark.slow
def test_checkpoints_of_lightning_tell_their_completed_epochs(tmp_path):
    pl = _lightning()
    saving = pl.callbacks.ModelCheckpoint(tmp_path / "kept", filename="{epoch}", save_top_k=-1, every_n_epochs=1)
    within = pl.callbacks.ModelCheckpoint(tmp_path / "within", filename="{epoch}-{step}", save_top_k=-1, every_n_train_steps=3)
    model = _fit(tmp_path, 2, [saving, within])
    opened = dw.open_checkpoints(tmp_path / "kept", build=make_net, input_size=SIZE)
    assert [(entry.path.name, entry.epoch) for entry in opened] == [("epoch=0.ckpt", 1), ("epoch=1.ckpt", 2)]
    assert torch.equal(opened.bundle(2).model.fc.weight, model.net.fc.weight)  # under the prefix "net.", which is found
    assert opened.bundle(1).trained
    assert dw.open_checkpoints([tmp_path / "end.ckpt"], build=make_net, input_size=SIZE).epochs == (2,)
    steps = dw.open_checkpoints(tmp_path / "within", build=make_net, input_size=SIZE)
    assert [entry.label for entry in steps] == ["step 3", "step 6"]


class _Images(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, item):
        return {"pixel_values": torch.full((3, 32, 32), item / 16), "labels": item % 2}


@pytest.mark.slow
def test_hugging_faces_trainer_records(tmp_path):
    pytest.importorskip("accelerate")
    transformers = import_library("transformers", "huggingface")
    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], id2label={0: "no", 1: "yes"}, label2id={"no": 0, "yes": 1}
    )
    model = transformers.ResNetForImageClassification(config)
    callback = dw.huggingface_callback(tmp_path / "run", epochs=[1, 3], input_size=(3, 32, 32), name="tiny")
    arguments = transformers.TrainingArguments(
        str(tmp_path / "out"), num_train_epochs=3, per_device_train_batch_size=4, learning_rate=1e-2, logging_strategy="epoch",
        eval_strategy="epoch", save_strategy="epoch", report_to=[], use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, train_dataset=_Images(), eval_dataset=_Images(), callbacks=[callback],
        compute_metrics=lambda found: {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())},
    )  # fmt: skip
    trainer.train()
    opened = dw.open_checkpoints(tmp_path / "run", build=model)
    assert opened.epochs == (0, 1, 3)
    logged = opened.log.epochs
    assert [entry.epoch for entry in logged] == [1, 2, 3]
    for entry in logged:
        assert None not in (entry.train_loss, entry.validation_loss, entry.validation_top1, entry.learning_rate)
        assert set(entry.metrics) <= {"grad_norm"}
    final = model.state_dict()
    theirs = dw.open_checkpoints(tmp_path / "out")  # the architecture and the classes stand in config.json
    assert ([(entry.epoch, entry.path.name) for entry in theirs], theirs.name) == (
        [(1, "checkpoint-4"), (2, "checkpoint-8"), (3, "checkpoint-12")], "out",
    )  # fmt: skip
    for bundle in (opened.bundle(3), theirs.bundle(3)):
        assert all(torch.equal(tensor.cpu(), final[name].cpu()) for name, tensor in bundle.model.state_dict().items())
    assert theirs.categories == ("no", "yes")
    assert not torch.equal(theirs.bundle(1).model.state_dict()["classifier.1.weight"], final["classifier.1.weight"])


@pytest.mark.slow
def test_an_epoch_that_is_not_complete_is_not_recorded_as_one(tmp_path):
    """max_steps ends a training within an epoch of four steps."""
    with pytest.warns(UserWarning, match=r"ended within an epoch, after 1\.50 epochs"):
        _fit(tmp_path, -1, [dw.lightning_callback(tmp_path / "lightning", "net", input_size=SIZE)], max_steps=6)
    assert dw.open_checkpoints(tmp_path / "lightning", build=make_net).epochs == (0, 1)
    pytest.importorskip("accelerate")
    transformers = import_library("transformers", "huggingface")
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=2)
    model = transformers.ResNetForImageClassification(config)
    for steps, warned in ((6, True), (8, False)):
        folder = tmp_path / str(steps)
        arguments = transformers.TrainingArguments(
            str(tmp_path / "out"), max_steps=steps, per_device_train_batch_size=4, save_strategy="no", report_to=[], use_cpu=True,
            disable_tqdm=True,
        )  # fmt: skip
        callback = dw.huggingface_callback(folder, input_size=(3, 32, 32))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            transformers.Trainer(model, arguments, train_dataset=_Images(), callbacks=[callback]).train()
        assert any("ended within an epoch" in str(one.message) for one in caught) == warned
        assert dw.open_checkpoints(folder, build=model).epochs == ((0, 1) if warned else (0, 1, 2))


def test_options_are_checked_before_the_training(tmp_path):
    for callback in (dw.lightning_callback, dw.huggingface_callback):
        with pytest.raises(CheckpointError, match="There is no option 'epoch': choose among epochs"):
            callback(tmp_path, epoch=[1])
        with pytest.raises(CheckpointError, match="epochs has 1 twice"):
            callback(tmp_path, epochs=[1, 1])
    with pytest.raises(CheckpointError, match="module must be the name of an attribute"):
        dw.lightning_callback(tmp_path, 3)


@pytest.mark.parametrize(("callback", "library", "extra"), [("lightning_callback", "lightning", "lightning"),
                                                            ("huggingface_callback", "transformers", "huggingface")])  # fmt: skip
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, callback, library, extra):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "pytorch_lightning", raising=False)
    with pytest.raises(ModelError, match=rf"{library} is not installed: run `python -m pip install 'deconvwidgets\[{extra}\]'`"):
        getattr(dw, callback)(tmp_path)
