"""The shipped models: whole, checked, readable by the libraries they are made for."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from spin_bench.core.errors import UserError
from spin_bench.mini.weights import ZOO, checked_manifest
from spin_bench.models.config import StackConfig
from spin_bench.models.imagenet import load_classifier
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from training.tokenizer import WINDOW, build_tokenizer

TOKENIZER = build_tokenizer()


def test_every_file_is_listed_and_none_is_a_pickle():
    manifest = checked_manifest(ZOO)
    files = {path.relative_to(ZOO).as_posix() for path in ZOO.rglob("*") if path.is_file()}
    assert files - {"manifest.json", "README.md"} == set(manifest)
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl"))]
    assert sum((ZOO / name).stat().st_size for name in files) < 150e6


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str):
    shutil.copytree(ZOO, tmp_path / "zoo")
    victim = tmp_path / "zoo" / "saliency" / "model.safetensors"
    content = bytearray(victim.read_bytes())
    if damage == "truncated":
        victim.write_bytes(content[:-100])
    elif damage == "altered":
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    else:
        victim.unlink()
    with pytest.raises(UserError, match=r"saliency/model\.safetensors: .*git checkout"):
        load_stack(StackConfig("mini", 64, root=str(tmp_path / "zoo")))


def test_the_tokenizer_is_built_from_clip_s_own(stack: Stack):
    import open_clip

    full = open_clip.SimpleTokenizer()
    for text in ("a professional photograph of a teddy bear in front of a brick wall, ultra realistic",
                 "an oil painting of a flamingo on a checkered tablecloth, Van Gogh Style"):  # fmt: skip
        theirs = [full.decoder[i] for i in full.encode(text)]
        assert TOKENIZER.tokenize(text) == theirs
    assert stack.tokenizer.get_vocab() == TOKENIZER.get_vocab()
    assert stack.tokenizer.model_max_length == WINDOW


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_any_prompt_tokenises_without_an_unknown(text: str):
    ids = TOKENIZER(text).input_ids
    assert ids[0] == TOKENIZER.bos_token_id
    assert ids[-1] == TOKENIZER.eos_token_id
    assert all(0 <= index < len(TOKENIZER) for index in ids)
    if text.strip().isalnum() and text.isascii():
        assert TOKENIZER.decode(ids[1:-1]).replace(" ", "") == text.strip().lower()


def test_clip_features_have_unit_length_and_words_are_kept(stack: Stack):
    images = torch.rand(3, 3, 90, 90) * 2 - 1
    torch.testing.assert_close(stack.clip.encode_image(images).norm(dim=1), torch.ones(3))
    first = stack.clip.encode_words(["cat", "dog"])
    assert stack.clip.encode_words(["cat", "dog"]) is first
    torch.testing.assert_close(first, stack.clip.encode_text(["a photo of a cat", "a photo of a dog"]))


@torch.no_grad()
def test_clip_patches_are_the_first_layer_of_the_image_tower(stack: Stack):
    images, seen = torch.rand(2, 3, 64, 64) * 2 - 1, []
    handle = stack.clip._model.visual.layer1.register_forward_hook(lambda *call: seen.append(call[-1]))
    stack.clip.encode_image(images)
    handle.remove()
    patches = stack.clip.encode_patches(images)
    torch.testing.assert_close(patches, seen[0])
    changed = images.clone()
    changed[..., :16, :16] = 1
    moved = (stack.clip.encode_patches(changed) - patches).abs().amax((0, 1)) > 1e-5
    rows, columns = patches.shape[-2:]
    assert moved[: rows // 8, : columns // 8].all()
    assert not moved[rows // 2 :, columns // 2 :].any()


@pytest.mark.parametrize(("picture", "classes"), [("chelsea", {281, 282, 285}), ("coffee", {967, 968})])
def test_the_judge_is_the_published_network(picture: str, classes: set[int]):
    image = torch.from_numpy(getattr(data, picture)()).permute(2, 0, 1)[None].float() / 127.5 - 1
    logits = load_classifier()(F.interpolate(image, (224, 224), mode="bilinear", antialias=True))
    assert int(logits.argmax()) in classes


def test_perceptual_distance_grows_with_noise(stack: Stack):
    image = torch.from_numpy(data.astronaut()[100:228, 100:228]).permute(2, 0, 1)[None].float() / 127.5 - 1
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    distances = [
        float(stack.perceptual(image, (image + s * noise).clamp(-1, 1))) for s in (0, 0.05, 0.1, 0.2, 0.4, 0.8)
    ]
    assert distances[0] < 1e-9
    assert distances == sorted(distances)


def test_the_data_card_names_the_figures():
    figures = json.loads((Path(__file__).parents[2] / "results/reference/mini/models.json").read_text())
    assert {"vae_psnr_db", "clip_object_top1", "t2i_object", "t2i_background", "saliency_iou"} <= set(figures)
    assert "Fluent Emoji" in (ZOO / "README.md").read_text()
