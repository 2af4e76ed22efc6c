"""What is trained in the world of individuals: the judge, the loss that teaches looks, the gain of words."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from spin_bench.mini.clip_net import build_clip
from spin_bench.mini.weights import ZOO
from training import corpus
from training.corpus import Corpus, other_captions, training_scene
from training.individuals_loss import individuals_loss, object_cells, step_weights
from training.judge_views import damaged, pasted_elsewhere
from training.make_individuals import begun, begun_text_encoder
from training.moved_weights import moved
from training.tokenizer import build_tokenizer
from training.train_judge import UNSAID, UNSEEN, Facts, fits, judge_loss
from training.train_unet import build_scheduler
from training.vocabulary import carried_over
from training.words_gain import TIMESTEPS, Painter, prompts, words_gain_figures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    list(corpus.render(folder, start=0, count=40, workers=1, world=2))
    return corpus.load(folder, start=0, count=40)


def test_a_corpus_says_each_scene_s_look(scenes: Corpus):
    for index in range(40):
        scene, text = training_scene(index, 2)
        look = scene.objects[-1].instance.look if scene.objects else None
        said = (scenes.captions[index], scenes.colours[index], scenes.patterns[index])
        assert said == (text, look.colour if look else "", look.pattern if look else "")
    kept = corpus.individuals(scenes)
    assert len(kept.captions) == len(kept.pictures) == sum(colour != "" for colour in scenes.colours) < 40
    assert all(kept.colours) and kept.masks.any((1, 2)).all()


def test_other_captions_are_true_of_their_scenes(scenes: Corpus):
    for variants, noun, place in zip(
        other_captions(0, 40, variants=6, world=2), scenes.nouns, scenes.places, strict=True
    ):
        assert len(variants) == 6
        assert all((noun or place.split()[0]) in text for text in variants)
    assert other_captions(7, 1, variants=6, world=2)[0] == other_captions(0, 8, variants=6, world=2)[7]


def test_known_words_keep_their_vectors_and_new_ones_begin_among_them():
    old, new = build_tokenizer(1), build_tokenizer(2)
    vectors = torch.randn(len(old), 8, generator=torch.Generator().manual_seed(1))
    rows = carried_over(vectors, old, new)
    assert rows.shape == (len(new), 8)
    for token, index in new.get_vocab().items():
        if token in old.get_vocab():
            assert torch.equal(rows[index], vectors[old.get_vocab()[token]])
    fresh = [index for token, index in new.get_vocab().items() if token not in old.get_vocab()]
    assert 5 <= len(fresh) < 30
    assert rows[fresh].norm(dim=1).max() < 3 * vectors.norm(dim=1).max()
    assert torch.equal(rows, carried_over(vectors, old, new))


def test_models_begin_with_what_the_shipped_ones_say():
    """Of a prompt without new words the text encoder says the same in both vocabularies."""
    from transformers import CLIPTextModel, CLIPTokenizer

    shop = SimpleNamespace(tokenizer=build_tokenizer(2))
    encoder = begun_text_encoder(shop).eval()
    shipped = CLIPTextModel.from_pretrained(ZOO / "text_encoder").float().eval()
    text = {"padding": "max_length", "return_tensors": "pt"}
    prompt = ["a photo of a cat on the grass"]
    with torch.no_grad():
        ours = encoder(shop.tokenizer(prompt, **text).input_ids).last_hidden_state
        theirs = shipped(CLIPTokenizer.from_pretrained(ZOO / "tokenizer")(prompt, **text).input_ids).last_hidden_state
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    with pytest.raises(RuntimeError):  # without carrying them over the vectors do not fit
        begun(build_clip(978), build_clip(978).state_dict(), "token_embedding.weight", shop)


def test_a_pasted_subject_keeps_its_inside_and_takes_the_other_place():
    images, places = torch.full((2, 3, 32, 32), 0.4), torch.full((2, 3, 32, 32), -0.6)
    masks = torch.zeros(2, 32, 32, dtype=torch.bool)
    masks[:, 8:24, 8:24] = True
    out = pasted_elsewhere(images, masks, places, torch.Generator().manual_seed(0))
    torch.testing.assert_close(out[..., :4], places[..., :4])
    inside = out[..., 12:20, 12:20]
    assert (inside <= 0.4 + 1e-6).all() and (inside > 0.4 - 0.36).all()  # tinted towards the darker place, a third
    edge = out[0, 0, 16, 5:11]
    assert (edge.diff() >= -1e-6).all() and len(edge.unique()) >= 3  # feathered


def test_damage_is_mild_and_the_same_for_one_seed():
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    once, again, other = (damaged(images, torch.Generator().manual_seed(seed)) for seed in (2, 2, 3))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert once.abs().max() <= 1
    assert 0.01 < (once - images).abs().mean() < 0.3


def test_a_text_fits_the_pictures_of_which_all_it_says_is_true():
    pictures = torch.tensor([[0, 3, 1, 2, 7], [0, 3, 1, 4, 7], [0, 3, 5, 2, UNSEEN], [1, 3, 1, 2, 7]])
    texts = torch.tensor([[0, 3, 1, 2, 7], [0, 3, UNSAID, UNSAID, UNSAID], [0, 3, 5, UNSAID, 7], [0, 9, 1, 2, 7]])
    true = fits(texts, pictures)
    assert true.tolist() == [
        [True, True, False, False],
        [False, True, False, False],
        [False, True, False, False],  # text 2 names a place, which picture 2 does not show
        [False, False, False, False],
    ]


def test_facts_are_alike_where_words_are(scenes: Corpus):
    rows = Facts.of(scenes).rows
    columns = [scenes.domains, scenes.nouns, scenes.colours, scenes.patterns, scenes.places]
    for column, words in zip(rows.T, columns, strict=True):
        same = np.array(words)[:, None] == np.array(words)[None]
        assert torch.equal(column[:, None] == column[None], torch.from_numpy(same))


class _Telling(nn.Module):
    """A CLIP whose pictures' features are their mean colours, and whose texts' features are given."""

    def __init__(self, texts: torch.Tensor):
        super().__init__()
        self.texts = nn.Parameter(texts)

    def forward(self, images: torch.Tensor, ids: torch.Tensor):
        pixels = nn.functional.normalize(images.flatten(1).float(), dim=1)
        return pixels, nn.functional.normalize(self.texts[: len(ids)], dim=1), torch.tensor(20.0)


def test_the_judge_s_loss_asks_for_both_words_and_staying(scenes: Corpus):
    """Feature vectors that are whole pictures: views of one picture are near each other, random words are not."""
    clip = _Telling(torch.randn(16, 3 * 64 * 64, generator=torch.Generator().manual_seed(0)))
    loss = judge_loss(clip, scenes, build_tokenizer(2), batch=16, device=CPU)
    value, parts = loss(0, torch.Generator().manual_seed(0))
    assert parts["staying"] < parts["naming"]
    value.backward()
    assert clip.texts.grad is not None and clip.texts.grad.abs().sum() > 0
    again, _ = loss(0, torch.Generator().manual_seed(0))
    assert torch.equal(value, again)


def test_the_object_s_cells_are_shares_of_it():
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[0, 8:16, 6:16] = True
    cells = object_cells(masks, 16)
    assert cells.shape == (1, 1, 16, 16)
    assert cells[0, 0, 2].tolist()[:5] == [0, 0.5, 1, 1, 0]
    assert cells.sum() * 16 == masks.sum()


class _Model(nn.Module):
    """Predicts nothing of the noise; remembers the text it was told."""

    def __init__(self):
        super().__init__()
        self.told: list[torch.Tensor] = []
        self.zero = nn.Parameter(torch.zeros(()))
        self.text_encoder = lambda ids: SimpleNamespace(last_hidden_state=self.told.append(ids))
        self.unet = lambda noisy, t, encoder_hidden_states: SimpleNamespace(sample=noisy * self.zero)


def test_the_loss_weighs_the_object_and_the_noisy_steps():
    """Under a model that predicts no noise the error is the noise's own square: about 1 in every cell."""
    scheduler, generator = build_scheduler(), torch.Generator().manual_seed(0)
    latents, masks = torch.zeros(2, 4, 16, 16), torch.ones(1, 64, 64, dtype=torch.bool)
    ids, empty = torch.arange(6).view(1, 3, 2), torch.full((1, 2), 9)
    model = _Model()

    def mean(masks: torch.Tensor) -> float:
        loss = individuals_loss(model, scheduler, latents, masks, ids, empty, batch=4096, device=CPU)
        return loss(0, generator.manual_seed(0))[0].item()

    alphas = scheduler.alphas_cumprod
    snr = alphas / (1 - alphas)
    expected = (snr.clamp(max=5) / snr * (1 / alphas).clamp(max=10)).mean().item()
    torch.testing.assert_close(step_weights(scheduler, CPU).mean().item(), expected)
    assert mean(~masks) == pytest.approx(expected, rel=0.05)
    assert mean(masks) == pytest.approx(2 * expected, rel=0.05)
    told = torch.cat(model.told)
    assert {tuple(row) for row in told.tolist()} == {(0, 1), (2, 3), (4, 5), (9, 9)}
    assert (told == 9).all(1).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_words_gain_is_the_share_of_the_loss_that_words_take_away(scenes: Corpus):
    """A model whose prediction is off by 1 where the pattern is unsaid, and by half of that where it is said."""
    kept = corpus.individuals(scenes)
    tokenizer = build_tokenizer(2)
    patterns = {tokenizer(word).input_ids[1] for word in ("striped", "dotted", "checked", "plain", "patched")}

    class Telling:
        alphas = build_scheduler().alphas_cumprod

        def __call__(self, noisy, steps, encoder_hidden_states):
            said = torch.stack([torch.tensor(bool(patterns & set(row.tolist()))) for row in encoder_hidden_states])
            noise = noisy / (1 - self.alphas[steps]).sqrt()[:, None, None, None]  # clean latents are 0 here
            return SimpleNamespace(sample=noise + torch.where(said, 0.5, 1.0)[:, None, None, None])

    vae = SimpleNamespace(
        encode=lambda x: SimpleNamespace(latent_dist=SimpleNamespace(mean=torch.zeros(len(x), 4, 16, 16))),
        config=SimpleNamespace(scaling_factor=1.0),
    )
    told = lambda ids: SimpleNamespace(last_hidden_state=ids)  # noqa: E731
    figures = words_gain_figures(Painter(Telling(), told, vae, build_scheduler(), tokenizer), kept)
    assert len(TIMESTEPS) >= 4
    assert figures["words_gain"] == pytest.approx(0.75, abs=1e-3)
    assert figures["pattern_word_gain_noisy"] == pytest.approx(0.75, abs=1e-3)
    assert figures["colour_word_gain"] == pytest.approx(0, abs=1e-3)


def test_prompts_of_the_gain_differ_in_the_look_alone(scenes: Corpus):
    kept = corpus.individuals(scenes)
    for noun, both, colour, pattern in zip(
        prompts(kept, colour=False, pattern=False),
        prompts(kept, colour=True, pattern=True),
        kept.colours,
        kept.patterns,
        strict=True,
    ):
        assert sorted({*both.split()} - {*noun.split()} - {"a", "an"}) == sorted({colour, pattern})


def test_a_descendant_moves_as_its_ancestor_did():
    """Moved by what was learned; and where nothing was, nothing is."""

    def small(channels: int, seed: int) -> UNet2DConditionModel:
        torch.manual_seed(seed)
        return UNet2DConditionModel(
            sample_size=8,
            in_channels=channels,
            out_channels=4,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
            block_out_channels=(8,),
            layers_per_block=1,
            cross_attention_dim=8,
            norm_num_groups=4,
            attention_head_dim=4,
        )

    before, after, wide = small(4, 0), small(4, 1), small(9, 2)
    out, still = moved(wide, before, after).state_dict(), moved(wide, before, before).state_dict()
    for name, weight in wide.state_dict().items():
        assert torch.equal(still[name], weight)
        change = after.state_dict()[name] - before.state_dict()[name]
        if name == "conv_in.weight":
            assert torch.equal(out[name][:, 4:], weight[:, 4:])
            torch.testing.assert_close(out[name][:, :4] - weight[:, :4], change)
        else:
            torch.testing.assert_close(out[name] - weight, change, atol=1e-6, rtol=1e-4)
