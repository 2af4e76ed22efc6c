"""`spin-bench convert`: Blended's published checkpoint, once, to safetensors."""

import click

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import DONE


@command(
    examples=[
        "spin-bench convert stack=sd14 source=256x256_diffusion_uncond.pt",
        "spin-bench convert --source 256x256_diffusion_uncond.pt --target /data/guided_diffusion_256",
    ]
)
@settings
@click.option("--source", metavar="FILE", help="The downloaded checkpoint; without it, where to get it is said.")
@click.option("--target", metavar="FOLDER", help="Where to; the place in which the stack looks.")
def convert(words: tuple[str, ...], source: str | None, target: str | None) -> int:
    """Convert Blended's published checkpoint to safetensors, once."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.compose import compose
    from spin_bench.config.paths import expanded
    from spin_bench.config.settings import stack_config
    from spin_bench.core.errors import UserError
    from spin_bench.models.hub.conversion import PUBLISHED
    from spin_bench.models.hub.conversion import convert as converted
    from spin_bench.models.hub.files import converted_folder
    from spin_bench.models.loading.guided_diffusion import GuidedDiffusion

    stack = stack_config(compose(words, {}))
    if not source:
        raise UserError(f"convert needs source=<the downloaded file>: {PUBLISHED}")
    place = str(expanded("target", target)) if target else stack.pixel or "guided_diffusion_256"
    folder = converted_folder(place)
    console = terminal()
    digest = converted(expanded("source", source), folder, GuidedDiffusion())
    say(console, f"{source}: SHA-256 {digest}")
    say(console, "Converted: ", folder)
    return DONE
