"""PowerPaint v1 (Zhuang et al., ECCV 2024): an inpainting model that does several tasks, named by learned tokens.

Every task is two prompts, A and B, each ending in a task token of ten vectors. Their last hidden states are mixed,

    E = t E(A) + (1 - t) E(B),

with t the fitting degree, and the negative branch likewise; then it is diffusers' inpainting pipeline. Quirks of the
authors' app, kept: quality words open the negative prompt even where the user gives none, so it starts with a comma;
A equals B, and t does nothing, in every task but `shape`; outpainting is removal; since the token comes last, a prompt
longer than the text encoder's window loses the token before any word. A blurred paste of the known pixels is computed
by the app but not returned: the raw decoded picture is the result.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError, unknown
from spin_bench.core.limits import Share, Steps
from spin_bench.diffusion.inpainting import expect_steps, inpaint, inpaint_pipeline
from spin_bench.diffusion.text import encode_prompt
from spin_bench.diffusion.unets import expect_channels
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import PowerPaint, Stack
from spin_bench.models.task_tokens import CONTEXT, OBJECT, SHAPE, spelled_out

VERSION = "1"

log = logging.getLogger(__name__)

QUALITY = "worst quality, low quality, normal quality, bad quality, blurry"
EMPTY = "empty scene blur"


@dataclass(frozen=True)
class PowerPaintSettings:
    """Defaults of the authors' app but for the steps."""

    task: Literal["object", "shape", "removal", "outpaint"] = (
        "object"  # object (published for text-guided) | shape | removal | outpaint
    )
    steps: Steps = 50  # the authors' pipeline's default and the paper's protocol; their app takes 45
    guidance_scale: float = 7.5  # the authors advise 10 or more for removal
    strength: Share = 1.0
    fitting_degree: Share = 1.0  # t; in `shape`, 0.5 to 0.6 is loose, 0.8 to 0.95 follows the mask
    negative_prompt: str = ""  # what the user adds
    removal_prompt: str = ""  # what the user types in removal and outpaint, where the case's prompt names the object
    keep_task_token: bool = False  # False (published): a long prompt loses its token | True: its last words
    paste_back: bool = False  # the known pixels over the decoded picture

    def __post_init__(self) -> None:
        expect_steps(self.steps, self.strength)


class Text(NamedTuple):
    """Words, and the task token that follows them."""

    words: str
    token: str


class TaskPrompts(NamedTuple):
    """The two prompts of a task, and the two of its negative branch."""

    a: Text
    b: Text
    negative_a: Text
    negative_b: Text


def _object(prompt: str, negative: str) -> TaskPrompts:
    positive, unwanted = Text(prompt, OBJECT), Text(f"{negative}, {QUALITY}", OBJECT)
    return TaskPrompts(positive, positive, unwanted, unwanted)


def _shape(prompt: str, negative: str) -> TaskPrompts:
    unwanted = f"{negative}, {QUALITY}"
    return TaskPrompts(Text(prompt, SHAPE), Text(prompt, CONTEXT), Text(unwanted, SHAPE), Text(unwanted, CONTEXT))


def _removal(prompt: str, negative: str) -> TaskPrompts:
    positive, unwanted = Text(f"{EMPTY} {prompt}", CONTEXT), Text(negative, OBJECT)
    return TaskPrompts(positive, positive, unwanted, unwanted)


# (prompt, negative prompt) to a task's prompts
PROMPTS: dict[str, Callable[[str, str], TaskPrompts]] = {
    "object": _object,
    "shape": _shape,
    "removal": _removal,
    "outpaint": _removal,
}
WITHOUT_OBJECT = ("removal", "outpaint")


def task_prompts(case: Case, settings: PowerPaintSettings) -> TaskPrompts:
    """Return the prompts of the settings' task for `case`."""
    prompt = settings.removal_prompt if settings.task in WITHOUT_OBJECT else case.prompt
    return PROMPTS[settings.task](prompt, settings.negative_prompt)


def fitted(words: str, token: str, powerpaint: PowerPaint) -> str:
    """Drop the last of `words` that do not fit the window beside the task token; a warning names them."""
    tokenizer = powerpaint.tokenizer
    room = tokenizer.model_max_length - len(tokenizer(spelled_out(token)).input_ids)
    parts = words.split()
    keep = len(parts)
    while len(tokenizer.tokenize(" ".join(parts[:keep]))) > room:
        keep -= 1
    if keep == len(parts):
        return words
    log.warning("prompt cut to %d tokens, lost: %s", tokenizer.model_max_length, " ".join(parts[keep:]))
    return " ".join(parts[:keep])


def encode_text(text: Text, powerpaint: PowerPaint, *, keep_task_token: bool) -> Tensor:
    """Encode words and token to their last hidden states, (1, window, width)."""
    words = fitted(*text, powerpaint) if keep_task_token else text.words
    return encode_prompt(powerpaint.tokenizer, powerpaint.text_encoder, spelled_out(f"{words} {text.token}"))


def encode_task(
    prompts: TaskPrompts, powerpaint: PowerPaint, *, fitting_degree: float, keep_task_token: bool
) -> tuple[Tensor, Tensor]:
    """Return the mixed hidden states of the positive and the negative branch, (1, window, width) each."""
    # A and B are mostly the same: each text is encoded, and warned about, once.
    states = {text: encode_text(text, powerpaint, keep_task_token=keep_task_token) for text in dict.fromkeys(prompts)}
    a, b, negative_a, negative_b = (states[text] for text in prompts)
    t = fitting_degree
    return t * a + (1 - t) * b, t * negative_a + (1 - t) * negative_b


def powerpaint(settings: PowerPaintSettings, stack: Stack) -> Painter:
    """Build a painter that sees background, mask and, unless it removes, the prompt; never the reference.

    Raises `UserError` if a setting is out of range, or the model's UNet reads other channels.
    """
    if settings.task not in PROMPTS:
        raise unknown("task of powerpaint", settings.task, list(PROMPTS))
    if not 0 <= settings.fitting_degree <= 1:
        raise UserError(f"powerpaint: fitting_degree={settings.fitting_degree} is no share: take one in [0, 1]")
    model = stack.powerpaint
    mend = "set stack.powerpaint to a model made from an inpainting UNet"
    expect_channels(model.unet, "inpaint", stack, method="powerpaint", mend=mend)
    pipeline = inpaint_pipeline(stack, model.unet, model.text_encoder, model.tokenizer)

    @torch.no_grad()
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        positive, negative = encode_task(
            task_prompts(case, settings),
            model,
            fitting_degree=settings.fitting_degree,
            keep_task_token=settings.keep_task_token,
        )
        return inpaint(
            pipeline,
            [case.background] * len(seeds),
            [case.mask] * len(seeds),
            seeds,
            positive=positive,
            negative=negative,
            steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            strength=settings.strength,
            paste_back=settings.paste_back,
        )

    return paint


METHOD = Method(
    "PPt",
    PowerPaintSettings,
    powerpaint,
    VERSION,
    uses=("vae", "powerpaint", "tokenizer", "scheduler"),
    colour="#CC79A7",
)
