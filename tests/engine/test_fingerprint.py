"""The fingerprint of a model tells a copy from a changed model: copies share one trace."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deconvwidgets.engine import structure
from deconvwidgets.engine.fingerprint import fingerprint
from deconvwidgets.models.libraries import import_library


@dataclass
class Settings:
    slope: float = 0.1
    names: dict[int, str] = field(default_factory=lambda: {number: str(number) for number in range(50)})
    constant: Any = None


class Configured(nn.Module):
    """A model whose modules share an object of settings, as those of transformers do."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.conv.settings = self.settings = settings

    def forward(self, batch: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.conv(batch), self.settings.slope)


class WithToDict:
    def __init__(self) -> None:
        self.slope, self.sizes = 0.1, [1, 2]

    def to_dict(self) -> dict[str, Any]:
        return vars(self)


class Opaque:
    """Nothing says that an equal copy of it behaves alike."""

    slope = 0.1


@pytest.mark.parametrize("settings", [Settings(), WithToDict()])
def test_a_copy_with_a_copy_of_its_settings_shares_the_trace(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Configured(settings).eval()
    copied = copy.deepcopy(model)
    assert fingerprint(copied) == fingerprint(model)
    structure.share_structure(model, copied)
    traced: list[nn.Module] = []
    plain = structure.trace_model
    monkeypatch.setattr(structure, "trace_model", lambda net, *rest, **more: traced.append(net) or plain(net, *rest, **more))
    assert structure.structure_of(copied, (3, 8, 8)) is structure.structure_of(model, (3, 8, 8))
    assert traced == [model]
    copied.settings.slope = 0.3
    assert fingerprint(copied) != fingerprint(model)
    assert structure.structure_of(copied, (3, 8, 8)) is not structure.structure_of(model, (3, 8, 8))
    assert traced == [model, copied]


def test_settings_that_differ_deep_inside_are_a_change() -> None:
    model = Configured(Settings())
    before = fingerprint(model)
    model.settings.names[7] = "seven"
    assert fingerprint(model) != before


def test_what_may_hold_other_constants_is_no_copy() -> None:
    """A trace has the constants of its model."""
    for settings in (Opaque(), Settings(constant=torch.zeros(2)), Settings(constant={"weights": [torch.zeros(2)]})):
        model = Configured(settings)
        assert fingerprint(model) == fingerprint(model)
        assert fingerprint(copy.deepcopy(model)) != fingerprint(model)


def test_modules_that_share_settings_differ_from_modules_with_settings_of_their_own() -> None:
    model, other = Configured(Settings()), Configured(Settings())
    other.conv.settings = Settings()
    assert fingerprint(model) != fingerprint(other)


def test_a_vision_transformer_is_traced_once_for_its_copies() -> None:
    pytest.importorskip("transformers")
    transformers = import_library("transformers", "huggingface")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "image_size": 16, "patch_size": 8}
    model = transformers.ViTModel(transformers.ViTConfig(**sizes)).eval()
    assert fingerprint(copy.deepcopy(model)) == fingerprint(model)
