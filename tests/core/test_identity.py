"""Names of results: equal for equal inputs, different for any difference."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spin_bench.core.identity import added, canonical, derive_seed, key_of
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_the_order_of_keys_does_not_matter(value: dict):
    assert key_of(value) == key_of(dict(reversed(value.items())))


def test_every_setting_is_part_of_the_key():
    settings = SpinSettings()
    changed = [
        replace(settings, guidance_scale=7.0),
        replace(settings, style_exact=True),
        replace(settings, embedding=EmbeddingSettings(lr=1e-3)),
    ]
    assert len({key_of(s) for s in [settings, *changed]}) == 4
    assert key_of(settings) == key_of(SpinSettings())


def test_what_has_no_canonical_form_is_an_error():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))
    with pytest.raises(TypeError, match="object has no canonical form"):
        canonical(object())


@dataclass(frozen=True)
class _Point:
    x: int


def test_dataclasses_are_objects():
    assert canonical({"p": _Point(1)}) == '{"p":{"x":1}}'


@given(st.integers(0, 2**31), st.text(min_size=1), st.integers(0, 40))
def test_seeds_fit_torch_and_differ_by_image(base: int, case: str, k: int):
    seed = derive_seed(base, case, k)
    assert 0 <= seed < 2**63
    assert seed != derive_seed(base, case, k + 1)
    assert seed == derive_seed(base, case, k)


@dataclass(frozen=True)
class _Before:
    steps: int = 50


@dataclass(frozen=True)
class _After:
    steps: int = 50
    shape: str = added("round")


def test_an_added_switch_at_its_default_leaves_the_key():
    assert key_of({"settings": _After(steps=7)}) == key_of({"settings": _Before(steps=7)})
    assert key_of(_After(shape="square")) != key_of(_Before())
