"""What a model's outputs are is decided by certain evidence, said in the notes, and refused where it does not fit."""

from collections import namedtuple
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess

SIZE = (3, 12, 12)
NAMES = ["ant", "bee", "cow"]
TRANSFORM = Preprocess(resize=12, crop=(12, 12))


def net(outputs, *last):
    torch.manual_seed(1)
    trunk = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    return nn.Sequential(*trunk, nn.Linear(24, outputs), *last).eval()


def bundle_of(model, categories=None, **options):
    return ModelBundle.from_module(model, TRANSFORM, categories, name="mine", **options)


class Sum(nn.Module):
    """Not known to autograd as a softmax."""

    def forward(self, logits):
        exponentials = (logits - logits.amax(1, keepdim=True)).exp()
        return exponentials / exponentials.sum(1, keepdim=True)


AUTO = [
    (net(3), NAMES, "softmax", "softmax", ""),
    (net(3, nn.LogSoftmax(1)), NAMES, "softmax", "softmax", ""),
    (net(3, nn.Softmax(1)), NAMES, "probabilities", "none", "no softmax is applied"),
    (net(2, nn.Softmax(1)), ["no", "yes"], "probabilities", "none", "no softmax is applied"),
    (net(3, Sum()), NAMES, "probabilities", "none", "no softmax is applied"),
    (net(3, nn.Sigmoid()), NAMES, "multilabel", "none", "ends in a sigmoid"),
    (net(2, nn.Sigmoid()), ["cat", "dog"], "multilabel", "none", "ends in a sigmoid"),
    (net(3, nn.Hardtanh(0, 1)), NAMES, "softmax", "softmax", "pass task='multilabel'"),
    (net(3, nn.ReLU()), NAMES, "softmax", "softmax", ""),
    (net(1), ["no", "yes"], "binary", "sigmoid", "a logit, to which a sigmoid is applied"),
    (net(1, nn.Sigmoid()), ["no", "yes"], "binary", "none", "a probability already"),
    (net(1, nn.Sigmoid()), ["cat"], "multilabel", "none", "the probability of cat"),
    (net(1), ["depth"], "regression", "none", "taken as a value"),
    (net(1), None, "regression", "none", "pass categories=['no', 'yes']"),
    (net(1, nn.Flatten(0)), None, "regression", "none", "taken as a value"),
]


@pytest.mark.parametrize(("model", "categories", "task", "activation", "note"), AUTO)
def test_auto_decides_by_evidence_and_says_so(model, categories, task, activation, note):
    bundle = bundle_of(model, categories)
    assert (bundle.task, bundle.quantity.activation) == (task, activation)
    assert bundle.categories == (tuple(categories) if categories else ("value",))
    assert (note in " ".join(bundle.notes)) if note else bundle.notes == ()
    assert bundle.notes == bundle.output_notes


def test_several_outputs_without_names_predict_nothing():
    bundle = bundle_of(net(3))
    assert (bundle.task, bundle.classifier, bundle.categories, bundle.notes) == (None, None, None, ())
    assert bundle_of(nn.Conv2d(3, 4, 3).eval()).task is None


def test_a_model_that_cannot_run_is_refused_only_if_its_outputs_are_needed():
    model = nn.Linear(7, 3).eval()
    assert bundle_of(model).task is None
    with pytest.raises(ModelError, match="input_size"):
        bundle_of(model, NAMES)


EXPLICIT = [
    (net(5), None, "softmax", "softmax", tuple(f"class {number}" for number in range(5))),
    (net(3, nn.Softmax(1)), None, "probabilities", "none", ("class 0", "class 1", "class 2")),
    (net(3), NAMES, "multilabel", "sigmoid", tuple(NAMES)),
    (net(3, nn.Sigmoid()), NAMES, "multilabel", "none", tuple(NAMES)),
    (net(1), None, "binary", "sigmoid", ("no", "yes")),
    (net(1, nn.Sigmoid()), ["a", "b"], "binary", "none", ("a", "b")),
    (net(1), None, "regression", "none", ("value",)),
    (net(2), None, "regression", "none", ("output 0", "output 1")),
    (net(2), ["x", "y"], "regression", "none", ("x", "y")),
]


@pytest.mark.parametrize(("model", "categories", "task", "activation", "names"), EXPLICIT)
def test_a_given_task_is_used(model, categories, task, activation, names):
    bundle = bundle_of(model, categories, task=task)
    assert (bundle.task, bundle.quantity.activation, bundle.categories) == (task, activation, names)
    assert ("already" in " ".join(bundle.notes)) == (activation == "none" and task in ("multilabel", "binary"))


def test_small_logits_are_not_mistaken_for_probabilities():
    model = net(3)
    with torch.no_grad():
        model[4].weight.mul_(1e-9)
        model[4].bias.fill_(0.3)
    assert bundle_of(model, NAMES).quantity.activation == "softmax"
    assert bundle_of(model, NAMES, task="multilabel").quantity.activation == "sigmoid"


def test_the_unit_of_a_regression():
    bundle = bundle_of(net(1), ["depth"], unit="m")
    assert (bundle.quantity.unit, bundle.classifier) == ("m", "your model's own value, in m")
    assert "no predictions" not in str(bundle.notes)
    with pytest.raises(ModelError, match="task='regression'"):
        bundle_of(net(3), NAMES, task="softmax", unit="m")


REFUSED = [
    (net(5), None, {"task": "binary"}, "returns 5 outputs, but task='binary' is for one"),
    (net(1), NAMES, {"task": "binary"}, "names of two classes, not 3"),
    (net(5), NAMES, {}, "categories has 3 names for the 5 outputs of"),
    (net(5), NAMES, {"task": "regression"}, "categories has 3 names for the 5 outputs of"),
    (net(1), NAMES, {}, "categories has 3 names for the 1 output of"),
    (net(3, nn.Softmax(1)), NAMES, {"task": "softmax"}, "applied twice. Pass task='probabilities'"),
    (net(3), NAMES, {"task": "probabilities"}, "pass task='softmax'"),
    (net(3, nn.Sigmoid()), NAMES, {"task": "probabilities"}, "pass task='multilabel'"),
    (net(1), None, {"task": "softmax"}, "of one class is always 1: pass task='binary'"),
    (net(1), ["no", "yes"], {"task": "probabilities"}, "pass task='binary' for a logit"),
    (net(3), NAMES, {"task": "classify"}, "There is no task 'classify': choose 'softmax'"),
    (nn.Conv2d(3, 4, 3).eval(), NAMES, {}, "categories has 3 names for the 4 channels of maps of"),
]


@pytest.mark.parametrize(("model", "categories", "options", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_way_on(model, categories, options, message):
    with pytest.raises(ModelError, match=message):
        bundle_of(model, categories, **options)


Pair = namedtuple("Pair", "logits features")


@dataclass
class Result:
    logits: torch.Tensor
    features: torch.Tensor


FORMS = {
    "tuple": lambda logits, features: (logits, features),
    "list": lambda logits, features: [logits, features],
    "dict": lambda logits, features: {"logits": logits, "features": features},
    "namedtuple": Pair,
    "dataclass": Result,
    "nested": lambda logits, features: {"heads": (logits, features)},
}


class Several(nn.Module):
    def __init__(self, form, features=4):
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.fc, self.form, self.features = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), FORMS[form], features
        self.eval()

    def logits(self, batch):
        return self.fc(torch.relu(self.conv(batch)).mean((2, 3)))

    def forward(self, batch):
        maps = torch.relu(self.conv(batch))
        vector = maps.mean((2, 3))
        return self.form(self.fc(vector), {4: vector, 0: maps}[self.features])


@pytest.mark.parametrize(
    ("form", "output"),
    [("tuple", 0), ("list", 0), ("dict", "logits"), ("namedtuple", "logits"), ("namedtuple", 0), ("dataclass", "logits")],
)
def test_a_named_or_numbered_output_is_used(form, output):
    model, batch = Several(form), torch.randn(2, *SIZE)
    bundle = bundle_of(model, NAMES, output=output)
    assert bundle.task == "softmax"
    assert torch.equal(bundle.model(batch), model.logits(batch))
    assert [info.name for info in bundle.network.layers if "." not in info.name][:1] == ["conv"]


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_only_output_of_that_shape_is_taken_by_itself(form):
    model, batch = Several(form, features=0), torch.randn(2, *SIZE)
    for categories in (NAMES, None):
        bundle = bundle_of(model, categories, task="softmax")
        assert torch.equal(bundle.model(batch), model.logits(batch))
    assert bundle_of(Several(form), NAMES).task == "softmax", "of several, the one with as many columns as there are names"


def test_a_function_selects_an_output():
    model, batch = Several("nested"), torch.randn(2, *SIZE)
    bundle = bundle_of(model, NAMES, output=lambda output: output["heads"][0] * 2)
    assert torch.equal(bundle.model(batch), 2 * model.logits(batch))
    one = bundle_of(model, output=lambda output: output["heads"][1].sum(1))
    assert (one.task, one.model(batch).shape) == ("regression", (2, 1))


def test_outputs_that_are_not_clear_are_listed():
    with pytest.raises(ModelError, match=r"output\['logits'\] \(5, 3\), output\['features'\] \(5, 4\).*output= its name"):
        bundle_of(Several("dict"), task="softmax")
    with pytest.raises(ModelError, match=r"no output 'logit'.*output\['logits'\] \(5, 3\)"):
        bundle_of(Several("dict"), NAMES, output="logit")
    with pytest.raises(ModelError, match=r"no output 0 that is a tensor"):
        bundle_of(net(3), NAMES, output=0)
    with pytest.raises(ModelError, match=r"output= failed on what mine returns .KeyError"):
        bundle_of(Several("dict"), NAMES, output=lambda output: output["boxes"])
    with pytest.raises(ModelError, match=r"must return a tensor \(N, classes\).*not a list"):
        bundle_of(Several("dict"), NAMES, output=lambda output: [1])
    assert bundle_of(Several("dict")).task is None, "nothing is asked of the outputs"


def test_the_model_with_a_selected_output_shares_everything():
    model = Several("dict")
    bundle = bundle_of(model, NAMES, output="logits")
    assert bundle.model is not model
    assert dict(bundle.model.named_parameters()).keys() == dict(model.named_parameters()).keys()
    assert all(mine is own for mine, own in zip(bundle.model.parameters(), model.parameters(), strict=True))
    assert [info.name for info in bundle.network.layers][:2] == [info.name for info in bundle_of(model).network.layers][:2]
    bundle.model.double()
    assert model.fc.weight.dtype == torch.float64
    assert bundle_of(net(3), NAMES).model[0].weight.requires_grad


def test_hooks_of_the_model_still_run():
    model = Several("dict")
    model.register_forward_hook(lambda module, args, output: {**output, "logits": output["logits"] + 7})
    batch = torch.randn(2, *SIZE)
    assert torch.equal(bundle_of(model, NAMES, output="logits").model(batch), model.logits(batch) + 7)


def test_outputs_of_one_position_are_a_vector():
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1)).eval()
    bundle = bundle_of(model, NAMES)
    assert (bundle.task, bundle.model(torch.zeros(2, *SIZE)).shape) == ("softmax", (2, 3))


def test_maps_predict_nothing_until_a_position_is_chosen():
    bundle = bundle_of(nn.Conv2d(3, 3, 3).eval(), NAMES)
    assert (bundle.task, bundle.classifier) == ("softmax", None)
    assert "3 x 10 x 10" in bundle.notes[0]
    assert "target=(class, row, column)" in bundle.notes[0]
    chosen = bundle.with_output(lambda maps: maps[:, :, 2, 3], categories=NAMES)
    batch = torch.randn(2, *SIZE)
    assert torch.equal(chosen.model(batch), bundle.model(batch)[:, :, 2, 3])
    assert (chosen.classifier, chosen.notes) == ("your model's own classes (softmax of its logits)", ())


def test_a_head_replaces_the_task(make_head):
    bundle = bundle_of(net(1), unit="m")
    head = make_head(bundle, "conv1")
    headed = bundle.with_head(head)
    assert (bundle.task, headed.task, headed.notes) == ("regression", "softmax", ())
    assert bundle.with_head(None).task is None
    assert headed.with_head(None).quantity is None


def test_the_model_is_left_as_it_is():
    model = net(3, nn.Softmax(1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    bundle_of(model, NAMES)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


class Untraceable(Several):
    def forward(self, batch):
        return super().forward(batch if float(batch.sum()) < 1e9 else batch / 2)


class OtherUntraceable(Untraceable):
    def logits(self, batch):
        return 2 * super().logits(batch)


def test_layers_keep_their_digests():
    for kind in (Several, Untraceable):
        model = kind("dict")
        plain, selected = bundle_of(model), bundle_of(model, NAMES, output="logits")
        assert plain.network.traced == selected.network.traced == (kind is Several)
        assert plain.network.digest("conv") == selected.network.digest("conv")
    other = bundle_of(OtherUntraceable("dict"), NAMES, output="logits")
    assert other.network.digest("conv") != selected.network.digest("conv")


def test_copies_on_a_device_share_nothing(make_head):
    bundle = bundle_of(Several("dict"), NAMES, output="logits")
    copy = replace(bundle, model=deepcopy(bundle.model))
    batch = torch.randn(2, *SIZE)
    expected = bundle.model(batch)
    with torch.no_grad():
        copy.model.fc.bias.add_(1)
    assert torch.equal(bundle.model(batch), expected)
    assert torch.allclose(copy.model(batch), expected + 1)
    headed = bundle.with_head(make_head(bundle, "conv"))
    assert (headed.model(batch).shape, headed.task) == ((2, 4), "softmax")


class Strict(nn.Module):
    """Rejects images of another size, and values that no photograph has."""

    def __init__(self, *last):
        super().__init__()
        self.net = net(3, *last)

    def forward(self, batch):
        assert batch.shape[-1] == 12, "another size"
        if batch.abs().max() > 100:
            raise ValueError("not a photograph")
        return self.net(batch)


def test_models_that_reject_extreme_inputs_are_tried_on_others():
    assert bundle_of(Strict().eval(), NAMES).task == "softmax"
    assert bundle_of(Strict(nn.Softmax(1)).eval(), NAMES).task == "probabilities"


def test_an_assertion_of_the_model_is_an_error_in_words():
    assert ModelBundle.from_module(Strict().eval(), input_size=(3, 20, 20)).task is None
    with pytest.raises(ModelError, match=r"(?s)Strict cannot run on inputs of \(3, 20, 20\) .AssertionError: another size.*input_size"):
        ModelBundle.from_module(Strict().eval(), input_size=(3, 20, 20), categories=NAMES)
