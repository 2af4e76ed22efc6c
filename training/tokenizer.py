"""CLIP's public byte-pair vocabulary, pruned to the words the embedded world uses plus single bytes.

Pruning keeps the embedding table small; the single bytes keep every other prompt tokenisable, letter by letter.
"""

import gzip
from itertools import pairwise
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import BENCHMARK
from spin_bench.mini.looks import SHIPPED_WORLD, trained_looks
from spin_bench.mini.sprites import sprites

WINDOW = 48  # tokens, start and end included

_END_OF_WORD = "</w>"
_OTHER_WORDS = """
a an the and some photo photograph drawing sketch cartoon painting picture image good bad close up cropped bright dark
clean dirty rendition nice small large cool weird of in on with made empty scene blur blurry worst low normal quality
red orange yellow green blue purple pink brown black white grey golden silver glass wood wooden metal stone paper ice
, . '
"""


def _public_merges() -> list[tuple[str, str]]:
    from open_clip.tokenizer import default_bpe

    with gzip.open(default_bpe(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    return [(left, right) for left, right in (line.split() for line in lines[1 : 49152 - 256 - 2 + 1])]


def _merges_of(word: str, ranks: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    """The merges that assemble one word, in CLIP's greedy order."""
    parts, used = [*word[:-1], word[-1] + _END_OF_WORD], set()
    while len(parts) > 1:
        best = min(pairwise(parts), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        used.add(best)
        merged: list[str] = []
        while parts:
            if len(parts) > 1 and (parts[0], parts[1]) == best:
                merged.append(parts.pop(0) + parts.pop(0))
            else:
                merged.append(parts.pop(0))
        parts = merged
    return used


def world_words(world: int = SHIPPED_WORLD) -> list[str]:
    """Every word that a caption of that embedded world can hold, lower case, without punctuation."""
    worn = {word for look in trained_looks(world) for word in look}
    texts = [*sprites(), *PLACES.values(), *BENCHMARK.values(), *worn, _OTHER_WORDS]
    words = " ".join(texts).lower().replace(",", " , ").replace("{}", " ").split()
    return sorted(set(words))


def build_tokenizer(world: int = SHIPPED_WORLD) -> CLIPTokenizer:
    """The tokenizer of that embedded world. Deterministic: the same words give the same ids on every machine."""
    merges = _public_merges()
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    needed = set().union(*(_merges_of(word, ranks) for word in world_words(world)))
    kept = [merge for merge in merges if merge in needed]
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(letter + _END_OF_WORD for letter in letters), *("".join(merge) for merge in kept)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=kept, model_max_length=WINDOW)


def save_tokenizer(folder: Path) -> None:
    build_tokenizer().save_pretrained(folder)
