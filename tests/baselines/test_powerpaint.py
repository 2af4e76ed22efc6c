"""PowerPaint against the prompts of the authors' app, embeddings mixed by hand, and diffusers' pipeline."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel
from PIL import Image
from random_stack import random_stack
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings, encode_task, powerpaint, task_prompts
from spin_bench.models.stack import PowerPaint, Stack
from spin_bench.store.artefacts import Artefacts

QUICK = PowerPaintSettings(steps=2)
QUALITY = "worst quality, low quality, normal quality, bad quality, blurry"
CAT = "a photo of a cat on the grass"

# What the authors' app hands over when the user types a prompt and, or not, a negative prompt: A, B, negative A and B.
APP = {
    ("object", ""): (f"{CAT} P_obj", f"{CAT} P_obj", f", {QUALITY} P_obj", f", {QUALITY} P_obj"),
    ("object", "dog"): (f"{CAT} P_obj", f"{CAT} P_obj", f"dog, {QUALITY} P_obj", f"dog, {QUALITY} P_obj"),
    ("shape", "dog"): (f"{CAT} P_shape", f"{CAT} P_ctxt", f"dog, {QUALITY} P_shape", f"dog, {QUALITY} P_ctxt"),
    ("removal", ""): ("empty scene blur  P_ctxt", "empty scene blur  P_ctxt", " P_obj", " P_obj"),
    ("removal", "dog"): ("empty scene blur  P_ctxt", "empty scene blur  P_ctxt", "dog P_obj", "dog P_obj"),
    ("outpaint", ""): ("empty scene blur  P_ctxt", "empty scene blur  P_ctxt", " P_obj", " P_obj"),
}


@pytest.fixture(scope="module")
def stack(stack: Stack) -> Stack:
    """The shipped stack, its PowerPaint UNet made to listen hard to the mask, however it was trained."""

    def listening() -> PowerPaint:
        model = stack.loaders.powerpaint()
        extra = model.unet.conv_in.weight.data[:, stack.latent_channels :]
        extra += 0.1 * torch.randn(extra.shape, generator=torch.Generator().manual_seed(0))
        return model

    return replace(stack, loaders=replace(stack.loaders, powerpaint=listening))


@torch.no_grad()
def _by_hand(prompt: str, model: PowerPaint) -> Tensor:
    """Last hidden states of a prompt of the app: the thirty task tokens stand last in the table, ten a task."""
    words, _, task = prompt.rpartition(" ")
    first = len(model.tokenizer) - 30 + 10 * ("P_ctxt", "P_shape", "P_obj").index(task)
    middle = [*model.tokenizer(words, add_special_tokens=False).input_ids, *range(first, first + 10)]
    ids = [model.tokenizer.bos_token_id, *middle, model.tokenizer.eos_token_id]
    ids += [model.tokenizer.pad_token_id] * (model.tokenizer.model_max_length - len(ids))
    return model.text_encoder(torch.tensor([ids])).last_hidden_state


@pytest.mark.parametrize(("task", "negative"), APP)
@pytest.mark.parametrize("degree", [1.0, 0.55, 0.0])
def test_the_embeddings_are_the_mix_of_the_app_s_prompts(
    task: str, negative: str, degree: float, stack: Stack, cases: list[Case]
):
    settings = PowerPaintSettings(task=task, negative_prompt=negative)
    prompts = task_prompts(replace(cases[0], prompt=CAT), settings)
    assert tuple(f"{words} {token}".replace("  ", " ") for words, token in prompts) == tuple(
        prompt.replace("  ", " ") for prompt in APP[task, negative]
    )
    got = encode_task(prompts, stack.powerpaint, fitting_degree=degree, keep_task_token=False)
    a, b, negative_a, negative_b = (_by_hand(prompt, stack.powerpaint) for prompt in APP[task, negative])
    torch.testing.assert_close(got[0], degree * a + (1 - degree) * b, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(got[1], degree * negative_a + (1 - degree) * negative_b, atol=1e-6, rtol=1e-6)


def test_what_the_user_types_decides_a_removal_and_not_the_case(cases: list[Case]):
    settings = PowerPaintSettings(task="removal", removal_prompt="on the grass")
    prompts = task_prompts(cases[0], settings)
    assert prompts.a == prompts.b == ("empty scene blur on the grass", "P_ctxt")
    assert prompts == task_prompts(cases[1], settings)


@pytest.mark.parametrize(("task", "degree"), [("object", 1.0), ("shape", 0.55), ("removal", 1.0)])
def test_it_is_the_pipeline_of_diffusers_given_those_embeddings(
    task: str, degree: float, stack: Stack, cases: list[Case], artefacts: Artefacts
):
    model, case = stack.powerpaint, replace(cases[0], prompt=CAT)
    a, b, negative_a, negative_b = (_by_hand(prompt, model) for prompt in APP[task, "dog" if task == "shape" else ""])
    pipeline = StableDiffusionInpaintPipeline(
        vae=stack.vae,
        text_encoder=None,
        tokenizer=None,
        unet=model.unet,
        scheduler=stack.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        prompt_embeds=degree * a + (1 - degree) * b,
        negative_prompt_embeds=degree * negative_a + (1 - degree) * negative_b,
        image=case.background,
        mask_image=case.mask,
        generator=torch.Generator().manual_seed(9),
        height=stack.canvas,
        width=stack.canvas,
        num_inference_steps=QUICK.steps,
        guidance_scale=7.5,
    ).images[0]
    settings = replace(QUICK, task=task, fitting_degree=degree, negative_prompt="dog" if task == "shape" else "")
    ours = powerpaint(settings, stack)(case, [9])[0]
    assert ours.tobytes() == theirs.tobytes()


def test_an_image_depends_on_its_seed_alone(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = powerpaint(QUICK, stack)
    together = paint(cases[0], [11, 12, 13])
    paint(cases[1], [11])
    alone = paint(cases[0], [12])[0]
    levels = [np.asarray(picture, np.int16) for picture in (*together, alone)]
    assert np.abs(levels[1] - levels[3]).max() <= 1  # one level: sums in another order
    assert np.abs(levels[0] - levels[1]).max() > 8
    assert paint(cases[0], [12])[0].tobytes() == alone.tobytes()


@pytest.mark.parametrize("task", ["object", "shape", "removal", "outpaint"])
def test_tasks_read_the_prompt_unless_they_remove(task: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = powerpaint(replace(QUICK, task=task, fitting_degree=0.6), stack)
    a, b = (paint(replace(cases[0], prompt=p, reference=r), [1])[0].tobytes()
            for p, r in (("a cat", cases[0].reference), ("a dog", cases[1].reference)))  # fmt: skip
    assert (a == b) == (task in ("removal", "outpaint"))


def test_a_long_prompt_loses_its_task_token_as_published_or_its_last_words(
    stack: Stack, cases: list[Case], caplog: pytest.LogCaptureFixture
):
    model = stack.powerpaint
    room = model.tokenizer.model_max_length - 2 - 10
    fits, longer = " ".join(["cat"] * room), " ".join([*["cat"] * room, "brown", "dog"])
    prompts = {
        name: task_prompts(replace(cases[0], prompt=prompt), QUICK)
        for name, prompt in (("fits", fits), ("long", longer))
    }

    def encoded(name: str, keep: bool) -> Tensor:
        return encode_task(prompts[name], model, fitting_degree=1.0, keep_task_token=keep)[0]

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.startswith("spin_bench")]

    with caplog.at_level(logging.WARNING):
        assert torch.equal(encoded("fits", True), encoded("fits", False))
        assert not warnings()
        published = encoded("long", False)
    assert warnings() == ["prompt cut to 48 tokens, lost: P_obj_8 P_obj_9"]
    ids = model.tokenizer(longer).input_ids[:-1] + list(range(len(model.tokenizer) - 10, len(model.tokenizer) - 2))
    with torch.no_grad():
        expected = model.text_encoder(torch.tensor([[*ids, model.tokenizer.eos_token_id]])).last_hidden_state
    torch.testing.assert_close(published, expected, atol=1e-6, rtol=1e-6)
    caplog.clear()
    much = task_prompts(replace(cases[0], prompt=f"{longer} {'cat ' * 8}Brown barn"), QUICK)
    with caplog.at_level(logging.WARNING):
        encode_task(much, model, fitting_degree=1.0, keep_task_token=False)
    (told,) = warnings()
    assert told.startswith("prompt cut to 48 tokens, lost: Brown barn P_obj_0 P_obj_1 ")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert torch.equal(encoded("long", True), encoded("fits", True))
    assert warnings() == ["prompt cut to 48 tokens, lost: brown dog"]


def test_pasting_back_keeps_the_known_pixels(stack: Stack, cases: list[Case], artefacts: Artefacts):
    outside = np.asarray(cases[0].mask) == 0
    raw, pasted = (
        np.asarray(powerpaint(settings, stack)(cases[0], [1])[0])
        for settings in (QUICK, replace(QUICK, paste_back=True))
    )
    assert np.array_equal(pasted[outside], np.asarray(cases[0].background)[outside])
    assert np.array_equal(pasted[~outside], raw[~outside])
    assert not np.array_equal(raw[outside], pasted[outside])


def test_the_mask_may_cover_everything_or_one_cell(stack: Stack, cases: list[Case], artefacts: Artefacts):
    everything, cell = Image.new("L", (64, 64), 255), Image.new("L", (64, 64))
    cell.paste(255, (8, 8, 12, 12))
    paint = powerpaint(replace(QUICK, steps=1), stack)
    for mask in (everything, cell):
        picture = paint(replace(cases[0], mask=mask), [1])[0]
        assert picture.size == (64, 64)
        assert np.asarray(picture).std() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_runs_in_the_layout_of_stable_diffusion(dtype: torch.dtype, cases: list[Case], artefacts: Artefacts):
    stack = random_stack(dtype)
    size = (stack.canvas, stack.canvas)
    case = replace(cases[0], background=cases[0].background.resize(size), mask=cases[0].mask.resize(size))
    seen = set()
    unet: UNet2DConditionModel = stack.powerpaint.unet

    def look(_module: object, inputs: tuple, keywords: dict) -> None:
        seen.add((inputs[0].shape[1:], inputs[0].dtype))
        seen.add((keywords["encoder_hidden_states"].shape[1:], keywords["encoder_hidden_states"].dtype))

    unet.register_forward_pre_hook(look, with_kwargs=True)
    pictures = powerpaint(replace(QUICK, task="shape", fitting_degree=0.7), stack)(case, [1, 2])
    assert [picture.size for picture in pictures] == [(128, 128)] * 2
    assert seen == {((9, 16, 16), dtype), ((77, 32), dtype)}


def test_bad_input_is_one_clear_line(stack: Stack, artefacts: Artefacts):
    model = stack.powerpaint
    narrow = replace(
        stack, loaders=replace(stack.loaders, powerpaint=lambda: replace(model, unet=stack.loaders.unet()))
    )
    for bad, changes, message in (
        (narrow, {}, "reads 4 input channels, not 9: set stack.powerpaint"),
        (stack, {"task": "objekt"}, "did you mean 'object'"),
        (stack, {"fitting_degree": 1.5}, r"fitting_degree=1.5 is no share"),
        (stack, {"strength": 0.1}, "leaves nothing to run"),
        (replace(stack, loaders=replace(stack.loaders, powerpaint=None)), {}, "has no powerpaint model"),
    ):
        with pytest.raises(UserError, match=message) as error:
            powerpaint(replace(QUICK, **changes), bad)
        assert "\n" not in str(error.value)
