"""Spin's switches. Steps, guidance scale, iterations and rate are the paper's, the rest is ours (docs/spin.md)."""

from dataclasses import dataclass, field

from spin_bench.core.identity import added


@dataclass(frozen=True)
class EmbeddingSettings:
    """What decides a reference's embedding, and therefore its key in the store of artefacts."""

    iterations: int = 200  # 0: the start itself
    lr: float = 5e-4
    batch: int = 1  # noisy copies of the reference an iteration
    weight_decay: float = 1e-2
    vectors: int = 1  # token vectors that are learned
    init: str = "nearest_word"  # nearest_word | mean_token | class_noun: of the prompt
    template: str = "a photo of {}"
    saliency: str = "learned"  # learned | rembg | reference_mask | none
    soft_saliency: bool = False
    region_extraction: bool = True  # the null text explains the non-salient part
    masked_loss: bool = True  # the loss counts salient cells alone
    learns: str = added("token_vectors")  # token_vectors | conditioning: the text's hidden states themselves
    templates: str = added("one")  # one: `template` | varied: it and others, drawn anew each iteration
    normalised_loss: bool = added(True)  # by the salient area; False: a plain mean over all cells
    rembg_model: str = added("u2net")  # of saliency=rembg: u2net | isnet-general-use | birefnet-general | ...
    saliency_threshold: float = added(0.5)  # a pixel is salient above it; of no account to a soft map
    largest_component: bool = added(False)  # of the salient part
    dilation: int = added(0)  # latent cells by which the salient part grows
    non_salient: str = added("kept")  # kept | grey | noise | cropped: what the reference shows there
    augmentation: str = added("none")  # none | flip | flip_scale_shift: a few views of the reference


@dataclass(frozen=True)
class SpinSettings:
    """All of Spin; each ablation changes one of them."""

    steps: int = 50
    guidance_scale: float = 7.5
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    region_injection: bool = True  # False: the whole picture reads the embedding
    blending: str = "next"  # next | current | none: noise level of the background that is blended in
    fresh_noise: bool = False  # False: one noise an image serves every blend and the start
    style_strength: float = 0.03  # of the guidance's size; 0 switches style guidance off
    style_statistic: str = "mean_std"  # mean_std | gram
    style_exact: bool = False  # gradient through the UNet, or of the predicted x0 alone
    style_start: float = 0.3  # window of the steps, as fractions
    style_stop: float = 0.7
    style_features: str = added("latents")  # latents | decoder | clip: of the predicted x0
    backbone: str = added("text_to_image")  # text_to_image | inpaint: the UNet of nine channels
    text: str = "{style} of {}"  # {} is the reference, {style} the scene's style, {prompt} the prompt; "": the template
    style_words: float = 0.5  # share of the region that reads {style}, the rest reads "a photo" there
    injection: str = added("two_contexts")  # two_contexts | token_column | after_softmax
    injection_grids: str = added("all")  # all | fine | coarse: layers of latent resolution, or those below it
    injection_stop: float = added(1.0)  # fraction of the steps after which nothing is injected
    soft_edges: float = 2.0  # latent cells: deviation of the Gaussian that softens the region
    outside: str = added("nothing")  # nothing | prompt | background: what the rest of the picture reads
    start: str = added("noise")  # noise | background: pure noise, or the background noised to the first step
    paste: str = added("none")  # none | paste | feathered | poisson | decoder | latents: the known pixels at the end
