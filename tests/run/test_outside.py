"""Pictures made elsewhere: they enter the table like any other method's, and bad ones are one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tficon_folder import GENUINE

from spin_bench.cli.main import main
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.pictures import read_picture
from spin_bench.run.outside import digest_of, find_pictures, read_checked


def _score(images: Path, root: Path, results: Path, *more: str) -> int:
    arguments = ["score", f"images={images}", f"dataset.root={root}", f"results_dir={results}", "title=Mine"]
    return main([*arguments, "metrics=[psnr_bg,mse_bg,clip_i_truth]", "dataset.domains=all", *more])


def test_the_truth_under_another_name_scores_as_the_oracle(
    benchmark_root: Path, cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture
):
    images, results = tmp_path / "mine", tmp_path / "results"
    images.mkdir()
    for case in cases:
        case.truth.save(images / f"{case.id}.png")
    assert _score(images, benchmark_root, results) == 0
    folder = results / "mini" / "mini" / "table1-mine"
    table = pd.read_csv(folder / "table.csv", index_col=["method", "metric"])
    assert set(table.index.get_level_values("method")) == {"outside", "copy_paste", "oracle"}
    for metric in ("psnr_bg", "mse_bg", "clip_i_truth"):
        assert table.loc[("outside", metric)].tolist() == table.loc[("oracle", metric)].tolist()
    assert "| Mine " in (folder / "table.md").read_text()
    cost = pd.read_csv(folder / "cost.csv", index_col="method")
    assert np.isnan(cost.loc["outside", "seconds_per_image"]) and cost.loc["oracle", "seconds_per_image"] >= 0
    sets = pd.read_csv(folder / "set_level.csv", index_col=["method", "metric"])
    assert sets.loc[("outside", "kid")].tolist() == sets.loc[("oracle", "kid")].tolist()
    assert sets.loc[("oracle", "clip_mmd"), "mean"] < sets.loc[("copy_paste", "clip_mmd"), "mean"]
    assert (sets["images"] == 4).all() and set(sets["against"]) == {"true composites"}
    assert (
        "CLIP-MMD ↓ (sets, 4 images, subsets of 2) from the true composites: Mine" in (folder / "table.md").read_text()
    )

    before = {path: path.stat().st_mtime_ns for path in (results / "store").rglob("*.png")}
    case = cases[0]
    Image.composite(Image.new("RGB", (64, 64)), case.truth, case.mask.point(lambda level: 255 - level)).save(
        images / f"{case.id}.png"
    )
    assert (
        _score(images, benchmark_root, results, "set_level=[]") == 0
    )  # another picture is another method: nothing stale is read
    again = pd.read_csv(folder / "table.csv", index_col=["method", "metric"])
    assert again.loc[("outside", "mse_bg"), "mean"] > 0 == table.loc[("outside", "mse_bg"), "mean"]
    assert before.items() <= {path: path.stat().st_mtime_ns for path in (results / "store").rglob("*.png")}.items()


def test_several_pictures_a_case_and_what_is_missing_is_counted(
    benchmark_root: Path, cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture
):
    images, results = tmp_path / "mine", tmp_path / "results"
    for case in cases:
        (images / case.id).mkdir(parents=True)
        for k in (1, 2):
            case.truth.save(images / case.id / f"{k}.png")
    (images / cases[2].id / "2.png").unlink()
    assert _score(images, benchmark_root, results, "beside=[copy_paste]", "set_level=[]") == 3
    assert "1 pictures are missing" in capsys.readouterr().out
    scores = pd.read_parquet(results / "mini" / "mini" / "table1-mine" / "scores.parquet")
    own = scores[(scores["method"] == "outside") & (scores["metric"] == "psnr_bg")]
    assert sorted(zip(own["case"], own["k"], strict=True)) == [(case.id, k) for case in cases for k in (0, 1)]
    assert own["value"].isna().sum() == 1
    assert not (results / "mini" / "mini" / "table1-mine" / "set_level.csv").exists()


def _small(path: Path) -> None:
    Image.new("RGB", (32, 32)).save(path)


def _broken(path: Path) -> None:
    path.write_bytes(b"not a picture")


def _not_a_number(path: Path) -> None:
    Image.fromarray(np.full((64, 64), np.nan, np.float32)).save(path, format="TIFF")


def _see_through(path: Path) -> None:
    Image.new("RGBA", (64, 64), (9, 9, 9, 128)).save(path)


def _moving(path: Path) -> None:
    Image.new("RGB", (64, 64)).save(path, save_all=True, append_images=[Image.new("RGB", (64, 64), "red")])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_small, r"real-0001.png: case real-0001: its picture is 32x32 px, its background 64x64 px"),
        (_broken, r"real-0001.png: unreadable (no PNG, JPEG or WebP inside, or damaged)"),
        (_not_a_number, r"real-0001.png: levels of mode F have no fixed white"),
        (_see_through, r"real-0001.png: parts are transparent; save it on the ground that is meant"),
        (_moving, r"real-0001.png: several frames or pages"),
    ],
)
def test_a_bad_picture_is_one_line_and_nothing_is_stored(
    spoil, message: str, benchmark_root: Path, cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture
):
    images = tmp_path / "mine"
    images.mkdir()
    for case in cases:
        case.truth.save(images / f"{case.id}.png")
    spoil(images / "real-0001.png")
    assert _score(images, benchmark_root, tmp_path / "results") == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not list((tmp_path / "results").rglob("*.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score"], "score needs images=<folder"),
        (["score", "images=nowhere"], "images=nowhere: no such folder"),
        (["score", "images=.", "beside=[orcale]"], "did you mean 'oracle'"),
    ],
)
def test_what_score_is_told_wrongly(
    arguments: list[str], message: str, benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main([*arguments, f"dataset.root={benchmark_root}", f"results_dir={tmp_path / 'results'}"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_pictures_are_found_in_every_layout(tmp_path: Path):
    for name in ("a.png", "b_3.jpg", "b_10.jpg", "c/0.png", "c/1.webp", "elsewhere.png", "c/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = find_pictures(tmp_path, ["a", "b", "c", "d"])
    assert {place: path.relative_to(tmp_path).as_posix() for place, path in found.items()} == {
        ("a", 0): "a.png", ("b", 0): "b_3.jpg", ("b", 1): "b_10.jpg", ("c", 0): "c/0.png", ("c", 1): "c/1.webp"
    }  # fmt: skip
    digest = digest_of(list(found.values()), tmp_path)
    assert digest == digest_of(list(found.values())[::-1], tmp_path)
    (tmp_path / "a.png").write_bytes(b"changed")
    assert digest != digest_of(list(found.values()), tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"twice")
    with pytest.raises(UserError, match="case a has pictures under several names"):
        find_pictures(tmp_path, ["a"])
    with pytest.raises(UserError, match=r"no picture is named after a case, such as z\.png"):
        find_pictures(tmp_path, ["z"])


def test_a_picture_with_an_alpha_channel_is_read_as_rgb(cases: list[Case], tmp_path: Path):
    cases[0].truth.convert("RGBA").save(tmp_path / "a.png")
    assert np.array_equal(read_checked(tmp_path / "a.png", cases[0]), cases[0].truth)


@pytest.mark.parametrize("name", ["real-0120.PNG", "Real-0120.png", "REAL-0120_3.Jpg", "Real-0120/7.WEBP"])
def test_capital_letters_count_as_small_ones(tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert find_pictures(tmp_path, ["real-0120", "real-0001"]) == {("real-0120", 0): tmp_path / name}


@pytest.mark.parametrize("name", ["real-0120.heic", "real-0120_1.TIF", "real-0120/0.bmp"])
def test_a_picture_in_another_format_is_named(tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "real-0001.png").touch()
    with pytest.raises(UserError, match=f"{name}: no .png, .jpg, .jpeg, .webp; save it as one of them"):
        find_pictures(tmp_path, ["real-0120", "real-0001"])
    (tmp_path / "real-0120.png").touch()  # beside a picture of the right format it is nobody's
    assert len(find_pictures(tmp_path, ["real-0120", "real-0001"])) == 2


def test_records_and_notes_are_no_pictures(tmp_path: Path):
    for name in ("real-0120.json", "real-0001.png", "notes.txt", "real-0120_x.png"):
        (tmp_path / name).touch()
    assert list(find_pictures(tmp_path, ["real-0120", "real-0001"])) == [("real-0001", 0)]


def test_a_picture_is_turned_upright_before_it_is_scored(cases: list[Case], tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    cases[0].truth.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_checked(tmp_path / "a.png", cases[0]), cases[0].truth)


ODD = GENUINE.parent / "odd"


@pytest.mark.skipif(not ODD.is_dir(), reason="no odd inputs beside the checkout")
@pytest.mark.parametrize("name", ["score_upper", "score_A/output", "score_B/output"])
def test_odd_pictures_to_score_are_found_whatever_their_capitals(name: str):
    pictures = find_pictures(ODD / name, ["real-0113", "real-0120"])
    assert [(place, path.name.lower()) for place, path in pictures.items()] == [
        (("real-0113", 0), "real-0113.png"),
        (("real-0120", 0), "real-0120.png"),
    ]
    assert all(read_picture(path).size == (64, 64) for path in pictures.values())
