"""What a stack's YAML file says."""

from dataclasses import dataclass, field

from spin_bench.core.limits import Canvas


@dataclass(frozen=True)
class StackConfig:
    """Where the models of one scale come from, and how they run; `conf/stack/<name>.yaml`.

    A repository with an empty revision is taken as its main branch is when it is first downloaded, and kept so by the
    lock file. A variant is the part of a file's name before its suffix: "fp16" where a repository has no other
    safetensors.
    """

    name: str
    canvas: Canvas  # px
    root: str = ""  # a folder instead of the default place
    device: str = "auto"  # auto | cpu | cuda | mps
    dtype: str = "float32"  # float32 | bfloat16 | float16
    weights: str = "published"  # published | random: the true layout, for dry runs
    layout: str = ""  # of stacks.layouts, for random weights
    diffusion: str = ""  # hub repository of the text-to-image model
    revision: str = ""  # commit of that repository
    variant: str = ""
    inpaint: str = ""  # hub repository of the nine-channel inpainting model
    inpaint_revision: str = ""
    inpaint_variant: str = ""
    powerpaint: str = ""  # hub repository of PowerPaint v1's weights; its base is `inpaint`
    powerpaint_revision: str = ""
    pixel: str = ""  # unconditional pixel-space model, `spin-bench convert`'s: a folder, or a name in the cache
    clip: str = ""  # open_clip architecture, of stacks.encoders: what metrics and Spin's and Uni's first word see
    guide: str = ""  # the one that guides Blended; as `clip` where empty
    lpips_net: str = "vgg"
    judge: str = "efficientnet_lite0"  # efficientnet_lite0 | dino
    sha256: dict[str, str] = field(default_factory=dict)  # of files, by "owner/repository/name"
    lock: str = "weights.lock.json"  # what `spin-bench download` got
    channels_last: bool = False
    compile: str = ""  # a backend of torch.compile for the UNets: inductor
    vae_slicing: bool = False  # one image at a time through the VAE
    checkpointing: bool = False  # UNets compute again on the way back what they would else keep
    offload: bool = False  # UNets take turns on the device, the others wait in main memory
    tf32: bool = False  # matrix products and convolutions of float32 on TF32 units
    cudnn_benchmark: bool = False
    # Settings of methods that this scale needs otherwise than published, each with its reason.
    overrides: dict[str, dict[str, object]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def latent_cell(self) -> int:
        """Side of a latent cell, px of the canvas, without a VAE: SD's halves three times, the embedded one twice."""
        return 8 if self.layout else 4
