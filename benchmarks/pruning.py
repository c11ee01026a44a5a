"""When do a network's units change, and when its accuracy? AlexNet pruned, rounded and dynamically quantised, by `dw.check`.

Run it with `DECONVWIDGETS_DATA=folder python benchmarks/pruning.py [--photographs 300] [--tests 606]`; the folder holds Caltech-101 in
torchvision's layout. The units of AlexNet's five convolutional layers are frozen on evenly spaced photographs, and each variant is checked
with the default limits. The accuracy is that of the bundled head of Caltech-101, which is not trained again, on photographs that it was not
trained on (the test photographs of the first fold), so many per class.

The variants:

- global P%: the P% of the weights of all convolutions with the smallest magnitude are set to 0 (`global_unstructured`);
- per layer P%: the same in each convolution apart (`l1_unstructured`);
- B bits: the weights of the convolutions rounded to B bits, symmetric, one scale per output channel;
- dynamic: `quantize_dynamic` of the linear layer, which is the head; the convolutions stay as they are.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.comparison.check_records import UnitCheck

AMOUNTS = (0.3, 0.6, 0.9)
BITS = (8, 4, 3)


class WithLinearHead(nn.Module):
    """AlexNet's convolutions with the bundled head as an nn.Linear, which can be quantised."""

    def __init__(self, bundle: dw.ModelBundle) -> None:
        super().__init__()
        assert bundle.headless is not None
        assert bundle.head is not None
        trunk = bundle.headless.model
        self.features, self.avgpool = copy.deepcopy(trunk.features), nn.AdaptiveAvgPool2d((6, 6))
        self.head = nn.Linear(bundle.head.weight.shape[1], bundle.head.weight.shape[0])
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(bundle.head.weight))
            self.head.bias.copy_(torch.from_numpy(bundle.head.bias))

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (N, 101)."""
        return self.head(self.avgpool(self.features(batch)).flatten(1))


def convolutions(model: nn.Module) -> list[nn.Conv2d]:
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]


def pruned(model: nn.Module, amount: float, everywhere: bool) -> nn.Module:
    """Prune by magnitude: over all convolutions together, or in each."""
    if everywhere:
        prune.global_unstructured([(module, "weight") for module in convolutions(model)], prune.L1Unstructured, amount=amount)
    for module in convolutions(model):
        if not everywhere:
            prune.l1_unstructured(module, "weight", amount=amount)
        prune.remove(module, "weight")
    return model


def rounded(model: nn.Module, bits: int) -> nn.Module:
    """Round the weights of each output channel to 2^bits - 1 levels."""
    with torch.no_grad():
        for module in convolutions(model):
            scale = module.weight.abs().amax(dim=(1, 2, 3), keepdim=True) / (2 ** (bits - 1) - 1)
            module.weight.copy_((module.weight / scale).round() * scale)
    return model


def dynamically_quantised(model: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao.quantization is deprecated in favour of torchao, which is not installed
        quantised: nn.Module = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    return quantised


def variants() -> Iterator[tuple[str, Callable[[nn.Module], nn.Module]]]:
    yield "as it is", lambda model: model
    for everywhere in (True, False):
        for amount in AMOUNTS:
            name = f"{'global' if everywhere else 'per layer'} {amount:.0%}"
            yield name, lambda model, amount=amount, everywhere=everywhere: pruned(model, amount, everywhere)
    for bits in BITS:
        yield f"{bits} bits", lambda model, bits=bits: rounded(model, bits)
    yield "dynamic", dynamically_quantised


def test_photographs(images: ImageSet, count: int) -> list[int]:
    """Photographs of the first fold's test set, the same number of each class as far as there are so many."""
    labels = np.array([images.label(source) for source in range(images.source_count)])
    tests = draw_fold(labels, 30, 0, 0).test
    per_class = -(-count // len(np.unique(labels)))
    return [source for label in np.unique(labels) for source in tests[labels[tests] == label][:per_class].tolist()]


def accuracy(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Return the share of right answers, and all answers."""
    with torch.inference_mode():
        answers = torch.cat([model(batch.float()).argmax(dim=1) for batch in inputs.split(64)])
    return float((answers == labels).float().mean()), answers


def row(name: str, found: UnitCheck, right: float, agreement: float) -> str:
    layers = [
        f"{len(layer.units('died'))} / {len(layer.units('changed', 'lost', 'merged'))} / {np.nanmedian(layer.correlation):.3f}"
        for layer in found.layers
    ]
    verdict = "passed" if found.passed else "failed"
    return f"| {name} | {' | '.join(layers)} | {verdict} | {right:.1%} | {agreement:.1%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=300)
    parser.add_argument("--tests", type=int, default=606)
    parser.add_argument("--projections", type=int, default=3)
    parser.add_argument("--html", type=Path, help="a folder for the pages of the checks")
    parser.add_argument("--frozen", type=Path, help="the file of frozen units; it is used if it is there, and written otherwise")
    parser.add_argument("--only", nargs="+", metavar="VARIANT", help='some of the variants, such as "global 90%%" dynamic')
    arguments = parser.parse_args()
    base, images = dw.load_model("alexnet"), dw.open_images("caltech101")
    chosen = test_photographs(images, arguments.tests)
    inputs = torch.stack([base.prepare(images.open_source(source)).half() for source in chosen])
    labels = torch.tensor([images.label(source) for source in chosen])
    shown = dw.open_images("caltech101", limit=arguments.photographs)
    frozen = arguments.frozen or Path(tempfile.mkdtemp()) / "units.json"
    original = WithLinearHead(base).eval().requires_grad_(False)
    bundle = dw.ModelBundle.from_module(original, base.transform, base.categories, name="alexnet")
    if not frozen.exists():
        dw.freeze(bundle, shown, frozen, projections=arguments.projections, progress=False)
    print(f"{frozen.stat().st_size / 1e6:.1f} MB; {len(chosen)} test photographs", flush=True)
    layers = [info.short_name for info in bundle.network.feature_map_layers]
    print(f"| | {' | '.join(layers)} | check | accuracy | same answer |\n|---|{'---|' * (len(layers) + 3)}", flush=True)
    _, before = accuracy(original, inputs, labels)
    for name, change in variants():
        if arguments.only and name not in arguments.only:
            continue
        model = change(WithLinearHead(base).eval().requires_grad_(False))
        right, answers = accuracy(model, inputs, labels)
        changed = replace(dw.ModelBundle.from_module(model, base.transform, name=f"alexnet, {name}", task=None), weights=name)
        found = dw.check(frozen, changed, shown, figures=60 if arguments.html else 0, progress=False)
        print(row(name, found, right, float((answers == before).float().mean())), flush=True)
        if arguments.html:
            arguments.html.mkdir(parents=True, exist_ok=True)
            for kind in ("html", "csv"):
                (arguments.html / f"{name.replace(' ', '-').rstrip('%')}.{kind}").write_bytes(dw.check_file(found, kind))


if __name__ == "__main__":
    main()
