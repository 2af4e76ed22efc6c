"""What a text that said everything would get: SD-inpaint told the individual's true words, where a benchmark has them.

A prompt says "a teapot"; this bound reads "a blue striped teapot". It never sees the reference.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.methods.baselines.sd_inpaint import METHOD as SD_INPAINT
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings, sd_inpaint
from spin_bench.methods.painter import Painter
from spin_bench.mini.captions import in_words
from spin_bench.mini.looks import Look
from spin_bench.mini.world import Instance
from spin_bench.models.stack import Stack

WORDS = "1"  # version of `true_prompt`


def true_prompt(case: Case) -> str:
    """Return the prompt with the look of the individual before its noun; `UserError` if the prompt lacks the noun."""
    noun = re.search(rf"\ban? {re.escape(case.subject)}(?!\w)", case.prompt) if case.subject else None
    if noun is None:
        raise UserError(f"case {case.id}: its prompt does not name its subject: leave described out of methods")
    individual = Instance(case.subject, look=Look(case.colour, case.pattern))
    return f"{case.prompt[: noun.start()]}{in_words(individual, colour=True, pattern=True)}{case.prompt[noun.end() :]}"


def described(settings: SdInpaintSettings, stack: Stack) -> Painter:
    """A painter as `sd_inpaint`, under `true_prompt`; `UserError` for a case whose look is unknown."""
    inner = sd_inpaint(settings, stack)

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        if not (case.colour and case.pattern):
            raise UserError(f"case {case.id}: this benchmark knows no looks: leave described out of methods")
        return inner(replace(case, prompt=true_prompt(case)), seeds)

    return paint


METHOD = replace(
    SD_INPAINT,
    title="described",
    build=described,
    version=WORDS + SD_INPAINT.version,
    colour="#777777",
    bound=True,
    needs=("subject", "colour", "pattern"),
)
