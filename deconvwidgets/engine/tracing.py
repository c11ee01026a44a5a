"""The model as a functional graph of ATen operations, made by `torch.export`.

What the graph computes is what the model computes: hooks and patched forwards are in it, in-place operations and aliases are not. It holds
no parameters: they are read from the model, by name, whenever the graph runs.
"""

from __future__ import annotations

import operator
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from deconvwidgets.engine.example import example_batch
from deconvwidgets.engine.functional import MARK, NotFunctionalError, remove_inplace_operations, simplify
from deconvwidgets.engine.model_copy import copy_sharing_tensors, outside_inference_mode
from deconvwidgets.engine.ops import RESPONSE_NORM, node_name, op_of
from deconvwidgets.engine.quiet_export import quiet_export
from deconvwidgets.errors import GraphError

# torch.export patches nn.Module for the whole process. Two threads would restore each other's patches in the wrong order.
_EXPORTING = threading.Lock()
_OUTPUT, _NORM_BEGINS, _NORM_ENDS = "output of ", "response norm begins", "response norm ends"


@dataclass(frozen=True)
class Trace:
    """A traced model.

    Parameters
    ----------
    module : fx.GraphModule
        The graph of ATen operations, and those that its nodes call. `meta` has fake tensors ("val") and modules ("nn_module_stack").
    names : mapping of fx.Node to str
        For each placeholder but the input, the dotted name of an attribute of the model, such as a parameter.
    constants : mapping of fx.Node to Tensor
        The values of placeholders that are no attribute of the model: numbers in its code.
    calls : mapping of str to fx.Node
        The node of each module call's output ("features.0", "layer1.0.relu#2" for the second call of a module).
    structure : pytree.TreeSpec
        The structure of the model's output.
    single : bool
        Whether the graph holds for a batch of one image only.
    overwritten : tuple of (fx.Node, fx.Node)
        Values that an in-place operation overwrites, with what they are overwritten with.
    added : frozenset of fx.Node
        Nodes that were added to those of the model: a head, views. They do not affect the names of layers.
    views : mapping of fx.Node to fx.Node
        The added node that returns a module's output as maps (N, C, H, W), if its axes are in another order.
    scaled : mapping of fx.Node to fx.Node
        The added node that multiplies the maps of a layer, and is that layer for everything that reads it.
    """

    module: fx.GraphModule
    names: Mapping[fx.Node, str]
    constants: Mapping[fx.Node, Tensor]
    calls: Mapping[str, fx.Node]
    structure: pytree.TreeSpec
    single: bool
    overwritten: tuple[tuple[fx.Node, fx.Node], ...] = ()
    added: frozenset[fx.Node] = field(default_factory=frozenset)
    views: Mapping[fx.Node, fx.Node] = field(default_factory=dict)
    scaled: Mapping[fx.Node, fx.Node] = field(default_factory=dict)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @property
    def graph(self) -> fx.Graph:
        """The graph."""
        return self.module.graph

    @property
    def input_node(self) -> fx.Node:
        """The node of the input batch."""
        placeholders: Iterable[fx.Node] = self.graph.find_nodes(op="placeholder")
        return next(node for node in placeholders if node not in self.names and node not in self.constants)

    @property
    def outputs(self) -> Sequence[Any]:
        """The nodes of the model's output, flattened. Values that are no tensors stand for themselves."""
        outputs: Sequence[Any] = self.graph.output_node().args[0]  # type: ignore[assignment]
        return outputs

    def bind(self, model: nn.Module) -> dict[fx.Node, Tensor]:
        """Return the values of all placeholders but the input: the model's parameters and buffers of this moment."""
        values = {node: outside_inference_mode(operator.attrgetter(name)(model)) for node, name in self.names.items()}
        return {**values, **self.constants}


def trace_model(model: nn.Module, size: Sequence[int], single: bool = False) -> Trace:
    """Trace a model. The trace has to be checked against the model (`trace_check.py`).

    Parameters
    ----------
    model : nn.Module
        A model in eval mode, which is left unchanged.
    size : sequence of int
        (C, H, W) of its input.
    single : bool
        Trace it for a batch of one image, instead of any number.

    Returns
    -------
    Trace

    Raises
    ------
    GraphError
        If torch.export cannot trace the model.
    """
    copied = _OneInput(copy_sharing_tensors(model))
    example = example_batch(model, size, 1 if single else 2)
    batch_axis = None if single else {0: torch.export.Dim.DYNAMIC}
    try:
        with _EXPORTING, quiet_export(), _marked_outputs(copied.model), torch.enable_grad(), torch.inference_mode(False):
            program = torch.export.export(copied, (example,), dynamic_shapes=(batch_axis,), strict=False)
        return _functional_trace(program, model, single)
    except Exception as error:  # torch.export runs the model's own code on fake tensors, which may raise anything
        raise GraphError(f"torch.export cannot trace {type(model).__name__} ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    if "data-dependent" in text:
        return "its forward pass branches on the values of tensors"
    if ".numpy()" in text:
        return "its forward pass converts tensors to NumPy arrays"
    return f"{type(error).__name__}: {text[:200]}"


class _OneInput(nn.Module):
    """Calls the model with one positional argument, whatever the other parameters of its forward are called."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.training, self.model = False, model

    def forward(self, batch: Tensor) -> Any:
        return self.model(batch)


class _MarkResponseNorm(torch.overrides.TorchFunctionMode):
    """Marks calls of local response normalisation, which is several operations in ATen and one in the paper."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not RESPONSE_NORM:
            return func(*args, **kwargs)
        arguments = _norm_arguments(*args, **kwargs)
        MARK(arguments[0], _NORM_BEGINS)
        result = func(*arguments)
        MARK(result, f"{_NORM_ENDS} {' '.join(map(repr, arguments[1:]))}")
        return result


def _norm_arguments(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> tuple[Any, ...]:
    return (input, int(size), float(alpha), float(beta), float(k))


@contextmanager
def _marked_outputs(model: nn.Module) -> Any:
    """Mark the output of every module call in the graph that is being traced. `model` is a copy: its hooks are not removed."""
    count: Counter[str] = Counter()

    def make_hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def mark(module: nn.Module, args: Any, output: Any) -> None:
            count[name] += 1
            if isinstance(output, Tensor):
                MARK(output, _OUTPUT + (name if count[name] == 1 else f"{name}#{count[name]}"))

        return mark

    for name, module in model.named_modules():
        module._backward_hooks.clear()  # they do not affect the forward pass, and cannot be traced
        module._backward_pre_hooks.clear()
        if name:
            module.register_forward_hook(make_hook(name), always_call=False)
    with _MarkResponseNorm():
        yield


def _functional_trace(program: torch.export.ExportedProgram, model: nn.Module, single: bool) -> Trace:
    _complete_users(program.graph)
    try:
        overwritten = remove_inplace_operations(program.graph)
    except NotFunctionalError as error:
        if any(op_of(node_name(node)).cuts_gradient for node in program.graph.nodes):
            raise GraphError(f"{error}, in a model that detaches tensors or calls torch.no_grad()") from error
        with _EXPORTING, quiet_export():
            program, overwritten = program.run_decompositions({}), []
        _complete_users(program.graph)
    module, graph = program.graph_module, program.graph_module.graph
    _keep_user_outputs(program, graph)
    simplify(graph)
    calls = _read_marks(graph)
    graph.eliminate_dead_code()
    names, constants = _placeholders(program, graph, model)
    alive = set(graph.nodes)
    for node in graph.nodes:
        node.meta = {key: node.meta[key] for key in ("val", "nn_module_stack") if key in node.meta}
    return Trace(
        module,
        names,
        constants,
        {name: node for name, node in calls.items() if node in alive},
        program.call_spec.out_spec,
        single,
        tuple(pair for pair in overwritten if set(pair) <= alive),
    )


def _complete_users(graph: fx.Graph) -> None:
    """Add missing users of nodes: torch.export forgets some in models with regions of autocast (torch 2.13)."""
    for node in graph.nodes:
        for input_node in node.all_input_nodes:
            input_node.users.setdefault(node)


def _read_marks(graph: fx.Graph) -> dict[str, fx.Node]:
    """Return the outputs of module calls, and replace the operations of each local response normalisation by one node."""
    calls: dict[str, fx.Node] = {}
    begins: list[fx.Node] = []
    for node in list(graph.nodes):
        if node.target is not MARK:
            continue
        value, text = node.args
        if text.startswith(_OUTPUT):
            calls[text.removeprefix(_OUTPUT)] = value
        elif text == _NORM_BEGINS:
            begins.append(value)
        elif text.startswith(_NORM_ENDS):
            with graph.inserting_before(node):
                settings = [float(part) for part in text.removeprefix(_NORM_ENDS).split()]
                norm = graph.call_function(RESPONSE_NORM, (begins.pop(), int(settings[0]), *settings[1:]))
            norm.meta = dict(value.meta)
            value.replace_all_uses_with(norm)
        graph.erase_node(node)
    return calls


def _keep_user_outputs(program: torch.export.ExportedProgram, graph: fx.Graph) -> None:
    """Keep the model's own outputs, not the new values of buffers and inputs that it overwrites."""
    user = set(program.graph_signature.user_outputs)
    output = graph.output_node()
    output.args = (tuple(value for value in output.args[0] if not isinstance(value, fx.Node) or value.name in user),)  # type: ignore[union-attr]


def _placeholders(
    program: torch.export.ExportedProgram, graph: fx.Graph, model: nn.Module
) -> tuple[dict[fx.Node, str], dict[fx.Node, Tensor]]:
    """Return the placeholders that are attributes of the model, and those whose values are constants. Remove those that nobody reads."""
    signature = program.graph_signature
    targets = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    names, constants = dict[fx.Node, str](), dict[fx.Node, Tensor]()
    for node in list(graph.find_nodes(op="placeholder")):
        target = targets.get(node.name)
        if target is None:
            continue
        if not node.users:
            graph.erase_node(node)
            continue
        name = target.removeprefix("model.")
        try:
            operator.attrgetter(name)(model)
            names[node] = name
        except AttributeError:
            constants[node] = program.constants[target]
    return names, constants


def required_nodes(nodes: Iterable[fx.Node], targets: Iterable[fx.Node]) -> list[fx.Node]:
    """Return the nodes that the targets depend on, with the targets. `nodes` must be in order of execution."""
    ordered, required = list(nodes), set(targets)
    for node in reversed(ordered):
        if node in required:
            required.update(node.all_input_nodes)
    return [node for node in ordered if node in required]
