"""How many passes a method makes through each network: counted while it paints a case of the embedded world.

A pass is one row of a batch through one network, so guidance costs two a step. A backward pass through frozen weights
costs about one forward; one that also gives the weights' gradients, which only tuning needs, two.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from math import ceil
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from spin_bench.core.case import Case
from spin_bench.methods.method import Method
from spin_bench.models.stack import OPTIONAL, PARTS, Stack
from spin_bench.store.artefacts import Artefacts


@dataclass
class Passes:
    """By network: rows forward, rows backward, and rows backward that give the weights' gradients, too."""

    forward: Counter[str] = field(default_factory=Counter)
    backward: Counter[str] = field(default_factory=Counter)
    weights: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> Counter[str]:
        """What all of them cost, in forward passes."""
        return self.forward + self.backward + self.weights


def count_passes(method: Method, settings: Any, images: int, *, stack: Stack, case: Case) -> Passes:
    """Count the passes of `method` for `images` images of a case: those of one batch, and what a second one adds.

    `stack` is a small one, with a guide of its own if that is to be told from its CLIP, and `case` fits it: a number of
    passes does not depend on the size of a picture. What the stack's encoders keep means nothing afterwards. Raises
    what the painter raises.
    """
    together = method.batch(settings) if method.batch else 1
    lent = method.lend(stack, settings)
    modules = networks(lent, method.parts(settings) or PARTS)
    # The first time warms up: what is kept for all cases, such as the vocabulary's words, is no case's.
    _, one, two = (_counted(method, settings, batches * together, lent, case, modules) for batches in (1, 1, 2))
    return Passes(*(_extended(getattr(one, f.name), getattr(two, f.name), images / together) for f in fields(Passes)))


def _extended(one: Counter[str], two: Counter[str], batches: float) -> Counter[str]:
    return +Counter({name: one[name] + (ceil(batches) - 1) * (two[name] - one[name]) for name in {*one, *two}})


def _counted(
    method: Method, settings: Any, images: int, stack: Stack, case: Case, modules: Mapping[str, nn.Module]
) -> Passes:
    with counting(modules) as passes:
        method.build(settings, stack.keeping(Artefacts()))(case, list(range(images)))
    return passes


def networks(stack: Stack, parts: Collection[str] = PARTS) -> dict[str, nn.Module]:
    """The networks behind `parts` that the stack has, by part, or by part and piece: "unet", "vae.decoder"."""
    lacking = stack.missing([part for part in OPTIONAL if part in parts])
    pieces = {part: _pieces(getattr(stack, part)) for part in parts if part not in lacking}
    return {f"{part}.{name}".rstrip("."): network for part, some in pieces.items() for name, network in some.items()}


def _pieces(part: Any) -> dict[str, nn.Module]:
    if isinstance(part, AutoencoderKL):
        return {"encoder": part.encoder, "decoder": part.decoder}
    if hasattr(part, "towers"):
        return dict(part.towers)
    if isinstance(part, nn.Module):
        return {"": part}
    named = {f.name: getattr(part, f.name) for f in fields(part)} if is_dataclass(part) else {}
    return {name: piece for name, piece in named.items() if isinstance(piece, nn.Module)}


@contextmanager
def counting(modules: Mapping[str, nn.Module]) -> Iterator[Passes]:
    """Within, count the rows that pass through `modules`, which compute once for each shape and then repeat it."""
    passes = Passes()
    for name, module in modules.items():
        module.forward = _repeating(name, module, passes)  # type: ignore[method-assign]
    try:
        yield passes
    finally:
        for module in modules.values():
            del module.forward


def _repeating(name: str, module: nn.Module, passes: Passes) -> Callable[..., Any]:
    compute, answers = module.forward, dict[Any, tuple[Any, bool]]()

    def forward(*args: Any, **kwargs: Any) -> Any:
        inputs = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        tuned = torch.is_grad_enabled() and next(module.parameters()).requires_grad
        shapes = tuple((value.shape, value.dtype, value.requires_grad) for value in inputs)
        key = (shapes, torch.is_grad_enabled(), tuned, kwargs.get("return_dict"))
        if key not in answers:
            answer = compute(*args, **kwargs)
            answers[key] = _with_first(answer, _first(answer).detach()), _first(answer).requires_grad
        answer, wanted = answers[key]
        passes.forward[name] += len(_first(answer))
        if not wanted:
            return answer
        # Depends on what it depended on, so that gradients flow, and on a leaf of its own if that was out of sight.
        leaves = [torch.zeros((), requires_grad=True), *(value for value in inputs if value.requires_grad)]
        result = _first(answer) + sum(0 * leaf.sum() for leaf in leaves)

        def count(gradient: Tensor) -> None:
            passes.backward[name] += len(gradient)
            passes.weights[name] += len(gradient) if tuned else 0

        result.register_hook(count)
        return _with_first(answer, result)

    return forward


def _first(answer: Any) -> Tensor:
    return answer if isinstance(answer, Tensor) else answer[0]


def _with_first(answer: Any, first: Tensor) -> Any:
    """`answer`, a tensor, a tuple or a library's record of some, with another first tensor."""
    if isinstance(answer, Tensor):
        return first
    if isinstance(answer, tuple):
        return (first, *answer[1:])
    return type(answer)(**{**answer, next(iter(answer)): first})
