"""`spin-bench convert source=256x256_diffusion_uncond.pt`: Blended's published checkpoint, once, to safetensors."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from spin_bench.config.settings import stack_config
from spin_bench.core.errors import UserError
from spin_bench.models.hub.conversion import PUBLISHED, convert
from spin_bench.models.hub.files import converted_folder
from spin_bench.models.loading import guided_diffusion


def convert_command(config: DictConfig, console: Console) -> int:
    if not config.source:
        raise UserError(f"convert needs source=<the downloaded file>: {PUBLISHED}")
    target = converted_folder(config.target or stack_config(config).pixel or "guided_diffusion_256")
    digest = convert(Path(config.source), target, guided_diffusion.GuidedDiffusion())
    console.print(f"{config.source}: SHA-256 {digest}", soft_wrap=True)
    console.print(f"Converted: [bold]{target}[/bold]", soft_wrap=True)
    return 0
