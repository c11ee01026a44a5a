"""Normalisation where a network has none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from deconvwidgets.arguments import one_of
from deconvwidgets.engine.graph import Graph
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.modules import FollowedConv2d, FollowedLinear, can_be_followed, followed_by, in_evaluation
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.sites import calls_of, checked_layers, node_of, weighted_of_layer

_KINDS = {"batch_norm": "batch norm", "response_norm": "local response normalisation"}


def insert_normalization(bundle: ModelBundle, after: str | Sequence[str], kind: str = "batch_norm") -> ModelBundle:
    """Return a new bundle with normalisation after some layers.

    "batch_norm" stands between a convolution or linear layer and its rectifier (Ioffe & Szegedy 2015). It is made such that the network
    computes the same in evaluation mode, which is checked, and has to be trained to normalise: its running mean is 0, its variance 1.
    "response_norm" is the contrast normalisation of ZFNet, over five neighbouring maps (Zeiler & Fergus 2014, figure 3), after the
    rectifier or the pooling that is named; it changes what is computed.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    after : str or sequence of str
        Layers, such as "conv1" or, for "response_norm", "pool1".
    kind : {"batch_norm", "response_norm"}
        The normalisation.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If a layer does not exist, has the normalisation already, or is not the output of a module that is called once. For "response_norm",
        this has to be a convolution or a module without parameters.
    ModelError
        If the model cannot be traced, `kind` is unknown, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> normalised = dw.surgery.insert_normalization(dw.load_model("alexnet", weights=None), "conv1")
    >>> normalised.surgery[0].new
    (('features.0.after.0.weight', 64), ('features.0.after.0.bias', 64))
    """
    bundle, base, graph = operable(bundle)
    one_of(kind, "kind", tuple(_KINDS), ModelError)
    layers = checked_layers(base, after, "after")
    modules: dict[str, nn.Module] = {}
    for layer in layers:
        path, module = _batch_normalised(base, graph, layer) if kind == "batch_norm" else _contrast_normalised(base, graph, layer)
        modules[path] = module
    names = [base.network.layer(layer).short_name for layer in layers]
    note = ", which has to be trained: until then the network computes what it did." if kind == "batch_norm" else " over five maps."
    description = f"{_KINDS[kind].capitalize()} after {', '.join(names)}{note}"
    change = Change(modules, same_function=kind == "batch_norm", keeps_sizes=True)
    return operated(bundle, change, "insert_normalization", _KINDS[kind], description, {"after": names, "kind": kind})


def _batch_normalised(base: ModelBundle, graph: Graph, layer: str) -> tuple[str, nn.Module]:
    site = weighted_of_layer(base, graph, layer)
    if any(user.op != "output" and graph.operations[user].op.role == "batch norm" for user in site.node.users):
        raise LayerError(f"{site.name} of {base.name} has a batch norm already.")
    if type(site.module) not in (nn.Conv2d, nn.Linear, FollowedConv2d, FollowedLinear):
        raise LayerError(
            f"{site.name} of {base.name} is a {type(site.module).__name__}, not an nn.Conv2d or nn.Linear: nothing can follow it."
        )
    if site.module._forward_hooks:
        raise ModelError(f"'{site.path}' of {base.name} has hooks, which may change its output: remove them first.")
    units = len(site.weight)
    is_map = site.weight.dim() == 4
    norm = (nn.BatchNorm2d if is_map else nn.BatchNorm1d)(units, device=site.weight.device, dtype=site.weight.dtype)
    with torch.no_grad():
        norm.weight.fill_((1 + norm.eps) ** 0.5)  # so that it returns what it is given
    norm.requires_grad_(any(parameter.requires_grad for parameter in site.module.parameters()))
    return site.path, followed_by(site.module, in_evaluation(norm))


def _contrast_normalised(base: ModelBundle, graph: Graph, layer: str) -> tuple[str, nn.Module]:
    node, name = node_of(base, layer), base.network.layer(layer).short_name
    if len(graph.operations[node].shape or ()) != 4:
        raise LayerError(f"{name} of {base.name} has no maps, over which response normalisation could be.")
    if any(user.op != "output" and graph.operations[user].op.role == "response norm" for user in node.users):
        raise LayerError(f"{name} of {base.name} has a local response normalisation already.")
    paths = [call for call, output in graph.calls.items() if output is node]
    for path in paths:
        module = base.model.get_submodule(path.partition("#")[0])
        is_dropout = isinstance(module, nn.Identity | nn.Dropout)
        if not is_dropout and can_be_followed(module) and calls_of(graph, base.model, module) == 1:
            return path, followed_by(module, in_evaluation(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)))
    raise LayerError(
        f"{name} of {base.name} is not the output of a module that is called once, a convolution or one without parameters, so nothing can "
        "be put after it: name a layer that is the output of a rectifier or pooling module of its own."
    )
