"""Networks made ready for inference: what does not depend on the image is computed once, not per
batch.
"""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import suppress
from typing import Any, cast

import torch
from torch import fx, nn
from torch.fx.proxy import TraceError
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


def prepared(module: nn.Module) -> tuple[nn.Module, torch.memory_format]:
    """A copy for inference, and the layout in which it wants its images.

    Batch norms are folded into the convolutions before them, filters built from weights are built
    now, and ReLUs overwrite what only they read. Convolutions that are modules run faster with the
    channels last; where filters are built by hand the network's own reshaping expects them first.
    """
    network = copy.deepcopy(module).eval().requires_grad_(False)
    # A network that branches on its values has no one graph to change; it runs as it is.
    with suppress(TraceError), torch.no_grad():
        traced = fx.symbolic_trace(network)
        fold_norms(traced)
        fold_constants(traced)
        clip_in_place(traced)
        network = traced
    if not any(isinstance(part, nn.Conv2d) for part in network.modules()):
        return network, torch.contiguous_format
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network, torch.channels_last


def fold_norms(traced: fx.GraphModule) -> None:
    """Multiplies every batch norm that follows a convolution into its weights, in place."""
    parts = dict(traced.named_modules())
    calls = Counter(str(node.target) for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        source = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(source, fx.Node) or source.op != "call_module":
            continue
        # A convolution used twice, or read by others too, would be changed for all of them.
        if len(source.users) > 1 or calls[str(source.target)] > 1:
            continue
        norm, conv = parts[str(node.target)], parts[str(source.target)]
        if isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d):
            traced.set_submodule(str(source.target), fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(source)
            traced.graph.erase_node(node)
    _finish(traced)


def fold_constants(traced: fx.GraphModule) -> None:
    """Replaces what is computed from weights alone by its value, in place."""
    values: dict[fx.Node, Any] = {}
    for node in list(traced.graph.nodes):
        if node.op == "get_attr":
            values[node] = _attribute(traced, str(node.target))
        elif node.op in ("call_function", "call_method"):
            sources = node.all_input_nodes
            if sources and all(source in values for source in sources):
                values[node] = _value(node, values)
    for count, (node, value) in enumerate(values.items()):
        is_read = any(user not in values for user in node.users)
        if node.op != "get_attr" and is_read and isinstance(value, torch.Tensor):
            name = f"constant_{count}"
            traced.register_buffer(name, value.contiguous())
            with traced.graph.inserting_before(node):
                node.replace_all_uses_with(traced.graph.get_attr(name))
    _finish(traced)


def clip_in_place(traced: fx.GraphModule) -> None:
    """Lets each ReLU overwrite the output of a convolution or norm that nothing else reads."""
    parts = dict(traced.named_modules())
    for node in traced.graph.nodes:
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
            continue
        if not isinstance(parts[str(source.target)], nn.Conv2d | nn.BatchNorm2d):
            continue
        if node.op == "call_function" and node.target in (torch.relu, functional.relu):
            node.target, node.args, node.kwargs = torch.relu_, (source,), {}
        elif node.op == "call_module" and isinstance(parts[str(node.target)], nn.ReLU):
            cast(nn.ReLU, parts[str(node.target)]).inplace = True
    _finish(traced)


def _value(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    """What a call on known values gives."""
    arguments = fx.node.map_arg(node.args, lambda source: values[source])
    keywords = fx.node.map_arg(node.kwargs, lambda source: values[source])
    if callable(node.target):
        return node.target(*arguments, **keywords)
    subject, *rest = arguments
    return getattr(subject, str(node.target))(*rest, **keywords)


def _attribute(traced: fx.GraphModule, path: str) -> object:
    """The parameter or buffer behind a dotted name."""
    owner, _, name = path.rpartition(".")
    return getattr(traced.get_submodule(owner), name)


def _finish(traced: fx.GraphModule) -> None:
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.recompile()
