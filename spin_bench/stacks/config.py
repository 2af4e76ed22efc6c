"""What a stack's YAML file says."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StackConfig:
    """Where the models of one scale come from; `conf/stack/<name>.yaml`."""

    name: str
    canvas: int  # px
    root: str = ""  # a folder instead of the default place
    device: str = "auto"  # auto | cpu | cuda | mps
    dtype: str = "float32"  # float32 | bfloat16 | float16
    diffusion: str = ""  # hub repository of the text-to-image model
    revision: str = ""  # commit of that repository
    inpaint: str = ""  # hub repository of the nine-channel inpainting model
    inpaint_revision: str = ""
    powerpaint: str = ""  # hub repository of PowerPaint v1's weights; its base is `inpaint`
    powerpaint_revision: str = ""
    pixel: str = ""  # folder of an unconditional pixel-space model: unet/ and scheduler/ in diffusers' layout
    clip: str = ""  # open_clip architecture
    clip_pretrained: str = ""  # open_clip tag of its weights
    lpips_net: str = "vgg"
    # Settings of methods that this scale needs otherwise than published, each with its reason.
    overrides: dict[str, dict[str, object]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
