"""Models that are written in unusual ways. Answers are those of the model itself for one image at a time, or refused by name."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from deconvwidgets import engine
from deconvwidgets.errors import ModelError
from tests.engine.right_or_refused import SIZE, check, refusal, state_of


class Model(nn.Module):
    """Two convolutions and a classifier, with a function in between, which gets the model and the first map."""

    def __init__(self, function: Callable[[Model, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.classify = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3, padding=1), nn.Linear(6, 5)
        self.norm, self.relu = nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.function = function

    def forward(self, batch: Tensor) -> Tensor:
        maps = self.second(self.function(self, self.first(batch)))
        return self.classify(maps.mean((2, 3)))


STATISTICS: dict[str, Callable[[], nn.Module]] = {
    "batch norm without running statistics": lambda: nn.BatchNorm2d(8, track_running_stats=False),
    "instance norm": lambda: nn.InstanceNorm2d(8, affine=True),
    "instance norm with running statistics": lambda: nn.InstanceNorm2d(8, track_running_stats=True),
    "group norm": lambda: nn.GroupNorm(2, 8),
    "layer norm over maps": lambda: nn.LayerNorm([8, 18, 16]),
    "softmax over channels": lambda: nn.Softmax2d(),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_of_maps_and_batches(name: str) -> None:
    norm = STATISTICS[name]()
    model = Model(lambda model, maps: model.extra(maps))  # type: ignore[no-any-return, operator]
    model.extra = norm
    check(model)


def replaces_inplace(function: Callable[[Tensor], object]) -> Callable[[Model, Tensor], Tensor]:
    """Return a step that overwrites a map, and reads it again by its old name."""

    def step(model: Model, maps: Tensor) -> Tensor:
        doubled = maps * 2
        function(maps)
        return maps + doubled

    return step


INPLACE_FUNCTIONS = [
    torch.clamp_, torch.clamp_min_, torch.clamp_max_, torch.sigmoid_, torch.selu_, torch.exp_, torch.relu_, torch.tanh_, torch.abs_,
    torch.neg_, torch.square_, torch.celu_, torch.rrelu_, torch.threshold_, torch.round_, torch.sin_, torch.zero_, torch.expm1_,
    F.elu_, F.leaky_relu_, F.hardtanh_, F.selu_, F.celu_, F.rrelu_, F.threshold_,
]  # fmt: skip
ARGUMENTS = {"clamp_": (-0.1, 0.4), "clamp_min_": (0.1,), "clamp_max_": (0.2,), "threshold_": (0.1, 0.3), "_threshold_": (0.1, 0.3)}


@pytest.mark.slow
@pytest.mark.parametrize("function", INPLACE_FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_that_overwrite_their_argument(function: Callable[..., Tensor]) -> None:
    arguments = ARGUMENTS.get(function.__name__, ())
    assert check(Model(replaces_inplace(lambda maps: function(maps, *arguments)))).traced


METHODS: dict[str, Callable[[Tensor], object]] = {
    "relu_ of a slice": lambda maps: maps[:, :4].relu_(),
    "relu_ of a view": lambda maps: maps.view(maps.shape[0], -1).relu_(),
    "mul_ of one channel": lambda maps: maps[:, 0].mul_(3),
    "set one channel": lambda maps: maps.__setitem__((slice(None), 1), 0.5),
    "set a corner": lambda maps: maps[:, :, :3, :2].fill_(1.0),
    "add_ of itself": lambda maps: maps.add_(maps),
    "chunk, then relu_": lambda maps: maps.chunk(2, 1)[1].relu_(),
    "transposed, then mul_": lambda maps: maps.transpose(2, 3).mul_(2),
    "out=": lambda maps: torch.add(maps, 1, out=maps),
    "masked_fill_": lambda maps: maps.masked_fill_(maps < 0, 0),
    "copy_": lambda maps: maps.copy_(maps.flip(1)),
    "detached relu_": lambda maps: maps.detach().mul_(1),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_overwrite_part_of_a_map(name: str) -> None:
    network = check(Model(replaces_inplace(METHODS[name])))
    assert network.traced == (name not in ("chunk, then relu_", "out=", "detached relu_"))  # these have no derivative, or another one


def adds_to_a_constant(model: Model, maps: Tensor) -> Tensor:
    total = torch.zeros(1, 8, 1, 1, dtype=maps.dtype)
    total += maps.mean((0, 2, 3), keepdim=True) * 0 + 1
    return maps + total


def fills_a_buffer(model: Model, maps: Tensor) -> Tensor:
    buffer = torch.zeros(maps.shape[0], 8, *maps.shape[2:], dtype=maps.dtype)
    buffer += maps
    buffer[:, 4:] = maps[:, :4]
    return buffer


def loops_over_the_batch(model: Model, maps: Tensor) -> Tensor:
    return torch.stack([F.relu(image) * (1 + image.mean()) for image in maps])


def branches_on_one_image(model: Model, maps: Tensor) -> Tensor:
    return F.relu(maps) if maps.shape[0] == 1 else maps * 0.5


def couples_the_batch(model: Model, maps: Tensor) -> Tensor:
    return (maps - maps.mean()) / maps.std()


def couples_by_a_maximum(model: Model, maps: Tensor) -> Tensor:
    return maps / maps.abs().amax((0, 2, 3), keepdim=True)


def without_gradient(model: Model, maps: Tensor) -> Tensor:
    with torch.no_grad():
        scaled = F.relu(maps * 2)
    return maps + scaled


def under_autocast(model: Model, maps: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return F.relu(maps) * 1.5


def without_autocast(model: Model, maps: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        maps = maps * 2
    return model.relu(model.norm(maps))


def by_named_arguments(model: Model, maps: Tensor) -> Tensor:
    return F.conv2d(weight=model.second.weight[:, :1].expand(-1, 2, -1, -1).repeat(1, 4, 1, 1)[:8].repeat(2, 1, 1, 1)[:8], input=maps)


def gated_groups(groups: Tensor) -> Tensor:
    """As ResNeSt: an operation that reads whole maps reads maps of five axes."""
    return (groups * groups.mean((3, 4), keepdim=True)).flatten(1, 2) + groups.sum(1).repeat(1, 2, 1, 1)


STEPS: dict[str, Callable[[Model, Tensor], Tensor]] = {
    "constant that is added to": adds_to_a_constant,
    "buffer that is written to": fills_a_buffer,
    "loop over the batch": loops_over_the_batch,
    "branch on one image": branches_on_one_image,
    "coupled by mean and deviation": couples_the_batch,
    "coupled by a maximum": couples_by_a_maximum,
    "no_grad": without_gradient,
    "autocast": under_autocast,
    "autocast switched off": without_autocast,
    "arguments by name": by_named_arguments,
    "detached": lambda model, maps: maps + maps.detach() ** 2,
    "constant per column": lambda model, maps: maps * torch.linspace(0, 1, 16, dtype=maps.dtype),
    "constant per row": lambda model, maps: maps + torch.linspace(0, 1, 18, dtype=maps.dtype)[:, None],
    "constant map": lambda model, maps: maps + torch.linspace(0, 1, 18 * 16, dtype=maps.dtype).view(18, 16),
    "constant per channel": lambda model, maps: maps * torch.linspace(0, 1, 8, dtype=maps.dtype)[:, None, None],
    "parts in reverse order": lambda model, maps: torch.cat(maps.chunk(4, 1)[::-1], 1),
    "channel shuffle": lambda model, maps: maps.view(maps.shape[0], 2, 4, 18, 16).transpose(1, 2).reshape(maps.shape[0], 8, 18, 16),
    "rows and columns exchanged": lambda model, maps: maps.transpose(2, 3).contiguous().transpose(2, 3) + maps.flip(3),
    "channels last and back": lambda model, maps: F.layer_norm(maps.permute(0, 2, 3, 1), [8]).permute(0, 3, 1, 2),
    "images last and back": lambda model, maps: F.relu(maps.permute(1, 0, 2, 3)).permute(1, 0, 2, 3),
    "softmax over positions": lambda model, maps: maps * maps.flatten(2).softmax(-1).view_as(maps),
    "softmax over channels": lambda model, maps: maps.softmax(1),
    "attention over channels": lambda model, maps: maps * torch.sigmoid(maps.mean(1, keepdim=True)),
    "gates over groups of channels": lambda model, maps: gated_groups(maps.view(maps.shape[0], 2, 4, 18, 16)),
    "maxout": lambda model, maps: maps.view(maps.shape[0], 8, 1, 18, 16).amax(2),
    "called twice": lambda model, maps: model.relu(-model.relu(maps)),
    "shortcut of an overwritten map": lambda model, maps: model.norm(model.relu(maps)) + maps,
    "einsum view": lambda model, maps: torch.einsum("nchw->nchw", maps).mul_(2) + maps,
    "roll": lambda model, maps: maps.roll(1, 2) + maps.roll(3, 1),
    "strided slice": lambda model, maps: F.interpolate(maps[:, :, ::2, 1:], size=(18, 16)),
    "relu6 and hardswish": lambda model, maps: F.hardswish(F.relu6(maps)),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_steps(name: str) -> None:
    check(Model(STEPS[name]))


class Preactivated(nn.Module):
    """A pre-activation block with an Identity shortcut: the shortcut gets what the in-place rectifier wrote."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.stem, self.norm, self.relu, self.conv = (
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 4, 3, padding=1),
        )
        self.shortcut, self.last = nn.Identity(), nn.Conv2d(4, 3, 3)

    def forward(self, batch: Tensor) -> Tensor:
        maps = self.norm(self.stem(batch))
        shortcut = self.shortcut(maps)
        return self.last(self.conv(self.relu(maps)) + shortcut).mean((2, 3))


class BeginsInPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.3])[:, None, None])
        self.plain = torch.tensor(2.0, dtype=torch.float64)  # neither parameter nor buffer
        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)

    def forward(self, batch: Tensor) -> Tensor:
        batch.sub_(self.mean)
        return self.last(F.relu(self.conv(batch)) * self.plain).mean((2, 3))


class StrangeOutputs(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.kind = kind
        self.conv, self.last, self.zero = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3), nn.Linear(3, 5)
        nn.init.zeros_(self.zero.weight)

    def forward(self, batch: Tensor) -> object:
        maps = F.relu(self.conv(batch))
        logits = self.zero(self.last(maps).mean((2, 3)))
        return {"dict": {"logits": logits, "aux": [maps]}, "tuple": (maps, logits), "constant": logits}[self.kind]


class SharedModule(nn.Module):
    """One module under two names, which is called twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3)
        self.act = self.same = nn.ReLU(inplace=True)
        self.again = self.conv

    def forward(self, batch: Tensor) -> Tensor:
        return self.last(self.same(self.again(self.act(self.conv(batch))))).mean((2, 3))


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.reentrant = reentrant
        self.conv, self.relu, self.last = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3)

    def forward(self, batch: Tensor) -> Tensor:
        maps = checkpoint(nn.Sequential(self.conv, self.relu), batch, use_reentrant=self.reentrant)
        return self.last(maps).mean((2, 3))


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: object, *signals: Tensor) -> Tensor:
        return signals[0] * 3


class DifferentStrides(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.strided, self.large, self.last = nn.Conv2d(3, 4, 2, stride=2), nn.Conv2d(3, 4, (11, 10)), nn.Conv2d(4, 2, 3)

    def forward(self, batch: Tensor) -> Tensor:
        return self.last(self.strided(batch) + self.large(batch)).mean((2, 3))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "pre-activation": Preactivated,
    "begins in place": BeginsInPlace,
    "dict": lambda: StrangeOutputs("dict"),
    "tuple": lambda: StrangeOutputs("tuple"),
    "constant output": lambda: StrangeOutputs("constant"),
    "shared module": SharedModule,
    "reentrant checkpoint": lambda: Checkpointed(True),
    "checkpoint": lambda: Checkpointed(False),
    "custom autograd function": lambda: Model(lambda model, maps: StraightThrough.apply(maps)),
    "branches of different strides": DifferentStrides,
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    check(MODELS[name]())


def test_hooks_and_patched_forwards_of_the_user_are_run() -> None:
    model = Model(lambda model, maps: model.relu(model.norm(maps)))  # type: ignore[no-any-return]
    model.first.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    model.norm.register_forward_hook(lambda module, args, output: output + 0.5)
    model.second.forward = lambda maps: nn.Conv2d.forward(model.second, maps) * 3  # type: ignore[method-assign]
    model.first.register_full_backward_hook(lambda module, inputs, outputs: None)
    check(model)


def test_names_of_one_call() -> None:
    model, batch = SharedModule().eval(), torch.randn(2, *SIZE)
    network = engine.Network.of(model, SIZE)
    maps: dict[str, Tensor] = {}
    names = ["conv", "act", "conv1", "act#2", "conv2"]
    network.visit(batch, names, lambda name, value: maps.update({name: value.clone()}))
    assert list(maps) == names
    assert torch.equal(maps["act"], maps["conv1"])
    assert torch.equal(maps["act#2"], maps["conv2"])


def test_changed_parameters_and_settings_are_seen() -> None:
    model, batch = Model(lambda model, maps: model.relu(maps)).double().eval(), torch.randn(3, *SIZE, dtype=torch.float64)  # type: ignore[no-any-return]
    network = engine.Network.of(model, SIZE)
    assert engine.Network.of(model, SIZE).graph is network.graph  # traced once
    with torch.no_grad():
        model.first.weight.mul_(2)
        model.second.bias = nn.Parameter(model.second.bias + 1)
    check(model, batch=batch)
    assert engine.Network.of(model, SIZE).graph is network.graph
    model.second.padding = (2, 2)
    check(model, batch=batch)
    assert engine.Network.of(model, SIZE).graph is not network.graph
    handle = model.first.register_forward_hook(lambda module, args, output: output * 2)
    check(model, batch=batch)
    handle.remove()
    check(model, batch=batch)


def test_copies_and_pickles() -> None:
    model, batch = Preactivated().double().eval(), torch.randn(1, *SIZE, dtype=torch.float64)
    network = engine.Network.of(model, SIZE)
    before = state_of(model)
    expected = engine.project(network, batch, "last", unit=1, rule="gradient")
    assert state_of(model) == before
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert copied.model is not model
        assert torch.equal(engine.project(copied, batch, "last", unit=1, rule="gradient").pixels, expected.pixels)
    torch.save(model, BytesIO())
    check(copy.deepcopy(model))


@pytest.mark.slow
def test_compiled_parallel_and_scripted_models() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()).eval()
    layers = engine.describe_layers(model, SIZE)
    assert engine.describe_layers(torch.compile(model), SIZE) == layers
    assert engine.describe_layers(nn.DataParallel(model), SIZE) == layers
    for scripted in (torch.jit.script(model), nn.Sequential(torch.jit.trace(model, torch.randn(1, *SIZE)))):
        assert "TorchScript module, whose operations cannot be seen" in refusal(lambda model=scripted: engine.describe_layers(model, SIZE))  # type: ignore[misc]


def test_inputs_that_are_no_images() -> None:
    with pytest.raises(ModelError, match=r"input_size \(32, 32\) is that of a 1-D signal"):
        engine.describe_layers(nn.Conv2d(3, 4, 3).eval(), (32, 32))


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.relu, self.second, self.classify = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, batch: Tensor) -> Tensor:
        maps = self.relu(self.first(batch))
        maps = self.second(maps) if maps.sum() > -1e9 else maps
        return self.classify(self.relu(maps).mean((2, 3)))


@pytest.mark.parametrize("make", [Untraceable, lambda: Model(couples_the_batch), Preactivated])
def test_one_model_in_many_threads(make: Callable[[], nn.Module]) -> None:
    """Threads that run the model themselves see neither hooks nor exceptions of the engine."""
    model, batch = make().double().eval(), torch.randn(1, *SIZE, dtype=torch.float64)
    network = engine.Network.of(model, SIZE)
    layers = [info.name for info in network.layers if info.height > 1]
    expected = {layer: network.map(batch, layer).detach() for layer in layers}
    with torch.no_grad():
        output = model(batch.clone())
    stop = threading.Event()

    def run_the_model() -> None:
        while not stop.is_set():
            with torch.no_grad():
                assert torch.equal(model(batch.clone()), output)

    def map_layers(layer: str) -> None:
        for _ in range(30):
            assert torch.equal(network.map(batch, layer), expected[layer])
            engine.project(network, batch, layer, unit=0, rule="gradient")

    with ThreadPoolExecutor(8) as pool:
        bystander = pool.submit(run_the_model)
        list(pool.map(map_layers, [*layers, *layers]))
        stop.set()
        bystander.result()


def overwrites_an_unread_view(model: Model, maps: Tensor) -> Tensor:
    """As the dropout of torchvision's EfficientNet: the memory that it shares with another value is not read again."""
    return maps[:, :, 1:].relu_() + 1


def overwrites_a_view_that_is_read(model: Model, maps: Tensor) -> Tensor:
    """PyTorch's functionalisation is needed, which has other operations for batch norm and pooling."""
    pooled = F.max_pool2d(model.pool(maps), 3, 1) + 1
    pooled[:, :, 1:].mul_(2)
    return pooled


@pytest.mark.parametrize("step", [overwrites_an_unread_view, overwrites_a_view_that_is_read])
def test_layers_before_an_overwritten_view_keep_their_names_and_receptive_fields(step: Callable[[Model, Tensor], Tensor]) -> None:
    model = Model(lambda model, maps: step(model, model.norm(maps)))
    model.pool = nn.MaxPool2d(2, 1)
    network = check(model)
    assert network.layer("norm").receptive_field == (3, 3)
    assert step is overwrites_an_unread_view or network.layer("pool").receptive_field == (4, 4)


class TokensAndChannelsLast(nn.Module):
    """Maps with channels last, as in Swin and ConvNeXt, and outputs whose first axis is not the batch: tokens, and maps of parts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.mix, self.relu = nn.Conv2d(3, 8, 3), nn.LayerNorm(8), nn.Linear(8, 8), nn.ReLU()
        self.part, self.tokens, self.classify = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(8, 6), nn.Linear(6, 5)
        self.permute = nn.Identity()

    def forward(self, batch: Tensor) -> Tensor:
        first = self.first(batch)
        maps = self.permute(first.permute(0, 2, 3, 1))
        maps = (maps + self.relu(self.mix(self.norm(maps)))).permute(0, 3, 1, 2)
        parts = self.part(maps.reshape(-1, 4, *maps.shape[2:])).view(maps.shape)
        tokens = self.tokens(parts.permute(2, 3, 0, 1).reshape(-1, 8))
        return self.classify(tokens.view(-1, len(batch), 6).mean(0))


def test_only_maps_and_vectors_of_images_are_layers() -> None:
    """A unit is an entry of the second axis, and an image one of the first: other outputs would be described and shown wrongly."""
    network = check(TokensAndChannelsLast())
    assert [info.name for info in network.layers] == ["first", "permute", "norm", "mix", "relu", "classify"]
    assert all((info.channels, info.height, info.width) == (8, 18, 16) for info in network.layers[:-1])
    assert [info.name for info in network.feature_map_layers] == ["first"]


class MixesColumns(nn.Module):
    """A linear layer along rows of maps, as in networks for spectrograms: the channels remain the second axis."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.mix, self.second = nn.Conv2d(3, 8, 3), nn.LayerNorm(16), nn.Linear(16, 16), nn.Conv2d(8, 6, 3)

    def forward(self, batch: Tensor) -> Tensor:
        return self.second(F.relu(self.mix(self.norm(self.first(batch))))).mean((2, 3))


def test_linear_layers_along_rows() -> None:
    names = [info.name for info in check(MixesColumns()).layers]
    assert names[:3] == ["first", "norm", "mix"]
    assert "second" in names
