"""What is there of a stack, file by file, and whether it is what the code expects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spin_bench.core.identity import sha256_of_file
from spin_bench.models.config import StackConfig
from spin_bench.models.hub.client import HubFile, cached
from spin_bench.models.hub.files import pixel_folder, stack_files
from spin_bench.models.hub.headers import Shapes, built, header, misfit, plainly_named, powerpaint_misfit, shapes_of
from spin_bench.models.loading.guided_diffusion import GuidedDiffusion, build_unet
from spin_bench.models.loading.layouts import bare

WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Finding:
    """One file."""

    part: str
    name: str  # owner/repository/name, or a path
    size: int  # bytes; 0 where not known
    state: str  # here | missing | altered
    fault: str = ""  # why it does not fit the code


def check_files(config: StackConfig, *, verify: bool) -> list[Finding]:
    """Every file of the stack; `verify` reads them all and compares hashes where one is known."""
    files = stack_files(config)
    findings = [_check(file, files, verify=verify) for file in files]
    if config.pixel:
        folder = pixel_folder(config)
        findings.append(_check_pixel(config.pixel, folder))
    return findings


def disagreements(config: StackConfig) -> list[str]:
    """What does not fit between the parts: widths of text, channels of latents."""
    files = stack_files(config)
    networks = {part: built(part, path) for part in ("unet", "vae", "text_encoder") if (path := _config(part, files))}
    if len(networks) < 3:
        return []  # nothing to compare with
    unet, vae, text = (networks[part].config for part in ("unet", "vae", "text_encoder"))
    lines = []
    if unet.cross_attention_dim != text.hidden_size:
        lines.append(f"the UNet reads text of width {unet.cross_attention_dim}, the encoder writes {text.hidden_size}")
    if unet.in_channels != vae.latent_channels:
        lines.append(f"the UNet reads {unet.in_channels} channels, the VAE writes {vae.latent_channels}")
    if path := _config("inpaint_unet", files):
        channels = built("inpaint_unet", path).config.in_channels
        if channels != 2 * vae.latent_channels + 1:
            lines.append(f"the inpainting UNet reads {channels} channels, not {2 * vae.latent_channels + 1}")
    return lines


def _check(file: HubFile, files: Sequence[HubFile], *, verify: bool) -> Finding:
    path = cached(file)
    if path is None:
        return Finding(file.part, file.key, file.size, "missing")
    size = path.stat().st_size
    if verify and file.sha256 and sha256_of_file(path) != file.sha256:
        return Finding(file.part, file.key, size, "altered", f"SHA-256 is not {file.sha256[:16]}…: download it again")
    if not file.name.endswith(WEIGHTS_SUFFIX):
        return Finding(file.part, file.key, size, "here")
    try:
        fault = _fault(file.part, header(path), files)
    except ValueError as error:
        return Finding(file.part, file.key, size, "altered", f"{error}: download it again")
    return Finding(file.part, file.key, size, "here", fault)


def _fault(part: str, shapes: Shapes, files: Sequence[HubFile]) -> str:
    if part == "powerpaint":
        unet, text = _config("inpaint_unet", files), _config("text_encoder", files)
        if unet is None or text is None:
            return ""
        return powerpaint_misfit(shapes, shapes_of(built("unet", unet)), shapes_of(built("text_encoder", text)))
    config = _config(part, files)
    return misfit(plainly_named(shapes), shapes_of(built(part, config))) if config else ""


def _config(part: str, files: Sequence[HubFile]) -> Path | None:
    """The part's config.json where the cache has it."""
    named = [file for file in files if file.part == part and file.name.endswith("/config.json")]
    return cached(named[0]) if named else None


def _check_pixel(name: str, folder: Path | None) -> Finding:
    if folder is None:
        return Finding("pixel", name, 0, "missing", "spin-bench convert makes it; Blended is left out until then")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    with bare():
        expected = shapes_of(build_unet(GuidedDiffusion()))
    try:
        fault = misfit(header(path), expected)
    except (ValueError, OSError) as error:
        return Finding("pixel", str(path), 0, "altered", f"{error}: convert again")
    return Finding("pixel", str(path), path.stat().st_size, "here", fault)
