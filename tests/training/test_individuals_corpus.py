"""What training scenes of individuals hold: captions, looks, words and sheets."""

from spin_bench.mini.looks import COLOURS, looks
from spin_bench.mini.patterns import PATTERNS
from spin_bench.mini.sprites import nouns
from training.corpus import HELD_OUT, training_scene
from training.sheets import by_colour_and_pattern, by_noun
from training.tokenizer import build_tokenizer


def test_captions_say_more_or_less_of_the_look():
    said = {(colour, pattern): 0 for colour in (True, False) for pattern in (True, False)}
    for index in range(600):
        scene, text = training_scene(index, 2)
        if scene.objects:
            look, words = scene.objects[-1].instance.look, text.split()
            said[look.colour in words, look.pattern in words] += 1
    share = {key: count / sum(said.values()) for key, count in said.items()}
    assert abs(share[True, True] - 1 / 3) < 0.07 and abs(share[False, False] - 1 / 3) < 0.07
    assert abs(share[True, False] - 1 / 6) < 0.06 and abs(share[False, True] - 1 / 6) < 0.06


def test_training_never_sees_a_novel_look_or_noun():
    banned, unseen = set(looks("novel")), set(nouns("novel"))
    own_kind = 0
    for index in [*range(400), *range(HELD_OUT, HELD_OUT + 100)]:
        scene, _ = training_scene(index, 2)
        shown = [placement.instance for placement in scene.objects]
        assert not banned & {(each.look.colour, each.look.pattern) for each in shown}
        assert not unseen & {each.noun for each in shown}
        if len(shown) > 1 and shown[0].noun == shown[-1].noun:
            own_kind += 1
            assert (shown[0].look.colour, shown[0].look.pattern) != (shown[-1].look.colour, shown[-1].look.pattern)
    assert own_kind > 10


def test_the_second_world_s_words_are_tokens_and_the_first_world_s_tokenizer_stays():
    tokenizer = build_tokenizer(2)
    assert len(build_tokenizer()) == 978
    for word in [*COLOURS, *PATTERNS]:
        assert len(tokenizer.tokenize(word)) <= 2, word
        assert tokenizer.unk_token_id not in tokenizer(word).input_ids[1:-1] or word == tokenizer.unk_token


def test_sheets_show_every_noun_in_every_colour_and_every_look_in_every_domain():
    noun_sheet, look_sheet = by_noun(["cat", "teapot"]), by_colour_and_pattern("car")
    assert noun_sheet.size == (64 * (1 + len(COLOURS)), 2 * 64)
    assert look_sheet.size == (2 * 64 * len(COLOURS), 2 * 64 * len(PATTERNS))
