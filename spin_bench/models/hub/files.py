"""Every file that a stack needs from the hub, by part."""

from dataclasses import replace
from pathlib import Path

from spin_bench.core.errors import unknown
from spin_bench.core.paths import cache_folder
from spin_bench.models.config import StackConfig
from spin_bench.models.hub.client import HubFile
from spin_bench.models.hub.lock import pinned, read_lock
from spin_bench.models.published_encoders import CLIPS, JUDGES, LPIPS_NETS

TOKENIZER = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")
WEIGHTS = {
    "vae": "diffusion_pytorch_model",
    "unet": "diffusion_pytorch_model",
    "text_encoder": "model",
}
SETTINGS = {"perceptual": "lpips_net"}  # of the parts whose setting has another name
POWERPAINT = ("unet/unet.safetensors", "text_encoder/text_encoder.safetensors")


def weights_name(folder: str, variant: str) -> str:
    """Of a network's file in diffusers' layout."""
    return f"{folder}/{WEIGHTS[folder]}{'.' + variant if variant else ''}.safetensors"


def stack_files(config: StackConfig) -> list[HubFile]:
    """What must be there to run everything, each pinned by the stack or by its lock file."""
    files: list[HubFile] = []
    if config.diffusion and not config.root:
        files += _base(config)
    if config.inpaint:
        names = ("unet/config.json", weights_name("unet", config.inpaint_variant))
        files += [HubFile("inpaint_unet", config.inpaint, config.inpaint_revision, name) for name in names]
    if config.powerpaint:
        files += [HubFile("powerpaint", config.powerpaint, config.powerpaint_revision, name) for name in POWERPAINT]
    if config.diffusion or config.root:
        files += _encoders(config)
    lock = read_lock(Path(config.lock))
    return [pinned(_with_hash(file, config), lock) for file in files]


def revision_of(config: StackConfig, repository: str, revision: str) -> str:
    """The commit of a repository: the stack's, or what the lock file says of it."""
    revisions = {file.revision for file in stack_files(config) if file.repository == repository}
    return revision or next(iter(sorted(revisions, reverse=True)), "")


def pixel_folder(config: StackConfig) -> Path | None:
    """Where the pixel-space model lies: `unet/` and `scheduler/`; None where it has not been converted."""
    if not config.pixel:
        return None
    folder = converted_folder(config.pixel)
    return folder if (folder / "unet" / "config.json").exists() else None


def converted_folder(name: str) -> Path:
    """A path as it is; a bare name is a folder of the cache."""
    return Path(name) if len(Path(name).parts) > 1 else cache_folder() / "weights" / name


def _encoders(config: StackConfig) -> list[HubFile]:
    """Each may be left empty; `UserError` for a name that is not known."""
    wanted = (
        ("clip", config.clip, CLIPS),
        ("guide", config.guide, CLIPS),
        ("perceptual", config.lpips_net, LPIPS_NETS),
        ("judge", config.judge, JUDGES),
    )
    files = []
    for part, name, known in wanted:
        if name and name not in known:
            raise unknown(f"stack.{SETTINGS.get(part, part)}", name, list(known))
        if name and (encoder := known[name]) is not None:
            files.append(encoder.file(part))
    return files


def _base(config: StackConfig) -> list[HubFile]:
    names = ["scheduler/scheduler_config.json", *(f"tokenizer/{name}" for name in TOKENIZER)]
    for folder in WEIGHTS:
        names += [f"{folder}/config.json", weights_name(folder, config.variant)]
    return [HubFile(name.partition("/")[0], config.diffusion, config.revision, name) for name in names]


def _with_hash(file: HubFile, config: StackConfig) -> HubFile:
    return replace(file, sha256=file.sha256 or config.sha256.get(file.key, ""))
