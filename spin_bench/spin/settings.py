"""Spin's switches. Steps, guidance scale, iterations and rate are the paper's, the rest is ours (docs/spin.md)."""

import re
from dataclasses import dataclass, field
from typing import Literal

from spin_bench.core.errors import BadSetting
from spin_bench.core.identity import added
from spin_bench.core.limits import Count, Rate, Share, Size, Steps, WholeNumber

PLACE, PROMPT, STYLE = "{}", "{prompt}", "{style}"  # what a text may hold


@dataclass(frozen=True)
class EmbeddingSettings:
    """Settings of the extraction; they are part of an embedding's key in the artefacts."""

    iterations: WholeNumber = 200  # 0: the start itself
    lr: Rate = 5e-4
    batch: Count = 1  # noisy copies of the reference per iteration
    weight_decay: Size = 1e-2
    vectors: Count = 1  # token vectors that are learned
    init: Literal["nearest_word", "mean_token", "class_noun"] = "nearest_word"  # class_noun: of the prompt
    template: str = "a photo of {}"
    saliency: Literal["learned", "rembg", "reference_mask", "none"] = "learned"
    soft_saliency: bool = False
    region_extraction: bool = True  # the non-salient part reads the null text
    masked_loss: bool = True  # over salient cells only
    learns: Literal["token_vectors", "conditioning"] = added("token_vectors")  # the text's hidden states themselves
    templates: Literal["one", "varied"] = added(
        "one"
    )  # one: `template` | varied: it and others, drawn anew each iteration
    rembg_model: str = added("u2net")  # of saliency=rembg: u2net | isnet-general-use | birefnet-general | ...
    dilation: WholeNumber = added(0)  # latent cells by which the salient part grows
    non_salient: Literal["kept", "grey", "cropped"] = added("kept")  # what the reference shows there
    augmentation: Literal["none", "flip_scale_shift"] = added("none")  # a few views of the reference


@dataclass(frozen=True)
class SpinSettings:
    """All settings of Spin; each ablation changes one."""

    steps: Steps = 50
    guidance_scale: float = 7.5
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    region_injection: bool = True  # False: the whole picture reads the embedding
    blending: Literal["next", "current", "none"] = "next"  # noise level of the background that is blended in
    fresh_noise: bool = False  # False: one noise per image for the start and every blend
    style_strength: Size = 0.03  # of the guidance's size; 0 switches style guidance off
    style_statistic: Literal["mean_std", "gram"] = "mean_std"
    style_exact: bool = False  # gradient through the UNet, or of the predicted x0 alone
    style_start: Share = 0.3  # window of the steps, as fractions
    style_stop: Share = 0.7
    style_features: Literal["latents", "decoder", "clip"] = added("latents")  # of the predicted x0
    backbone: Literal["text_to_image", "inpaint"] = added("text_to_image")  # the UNet of nine channels
    text: str = "{style} of {}"  # {} is the reference, {style} the scene's style, {prompt} the prompt; "": the template
    style_words: Share = 0.5  # share of the region that reads {style}, the rest reads "a photo" there
    injection: Literal["two_contexts", "token_column", "after_softmax"] = added("two_contexts")
    injection_grids: Literal["all", "fine", "coarse"] = added("all")  # layers of latent resolution, or those below it
    injection_stop: Share = added(1.0)  # fraction of the steps after which nothing is injected
    soft_edges: Size = 2.0  # latent cells: deviation of the Gaussian that softens the region
    outside: Literal["nothing", "prompt"] = added("nothing")  # what the rest of the picture reads
    start: Literal["noise", "background"] = added("noise")  # pure noise, or the background noised to the first step
    paste: Literal["none", "paste", "feathered"] = added("none")  # the known pixels at the end

    def __post_init__(self) -> None:
        if self.embedding.template.count(PLACE) != 1:
            template = self.embedding.template
            raise BadSetting(f"embedding.template={template!r}: say {{}} once, where the reference goes")
        if self.text.count(PLACE) > 1:
            raise BadSetting(f"text={self.text!r}: say {{}} once, where the reference goes, or not at all")
        for place in sorted(set(re.findall(r"\{.*?\}", self.text)) - {PLACE, PROMPT, STYLE}):
            raise BadSetting(f"text={self.text!r}: {place} stands for nothing: write {PLACE}, {PROMPT} or {STYLE}")
        whole = self.embedding.learns == "conditioning"
        if whole and self.text not in ("", SpinSettings.text):
            raise BadSetting("embedding.learns=conditioning: learns the whole text: leave text as it is")
        reads_reference = PLACE in (self.text or self.embedding.template)
        if self.injection == "token_column" and (whole or not reads_reference):
            raise BadSetting("injection=token_column: hides a learned token: set injection=two_contexts")
