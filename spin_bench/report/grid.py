"""One picture of many cases: a row a case, the inputs and every method's painting side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont, ImageOps

from spin_bench.core.files import write_whole
from spin_bench.report.wording import DASH

INPUTS = 3  # background, mask, reference; a wider gap follows them
INK, FAINT, BLANK, PAPER = "#1a1a1a", "#c8c8c8", "#efefef", "#ffffff"


@dataclass(frozen=True)
class GridRow:
    """One case: `title` is wrapped at its left, a tile that is None is drawn as missing."""

    title: str
    tiles: tuple[Image.Image | None, ...]  # any mode and size, one for each column


def write_grid(path: Path, rows: Sequence[GridRow], columns: Sequence[str], *, tile: int = 160) -> None:
    """Write the grid to `path` as PNG, pictures fitted into squares of `tile` pixels.

    Titles and column heads are wrapped and the page grows to hold them. A row whose number of tiles is not the number
    of columns is a ValueError.
    """
    for row in rows:
        if len(row.tiles) != len(columns):
            raise ValueError(f"row {row.title!r} has {len(row.tiles)} tiles for {len(columns)} columns")
    buffer = BytesIO()
    _draw(rows, columns, tile).save(buffer, format="PNG")
    write_whole(path, buffer.getvalue())


def _draw(rows: Sequence[GridRow], columns: Sequence[str], tile: int) -> Image.Image:
    gap, margin = max(2, tile // 20), max(4, tile // 8)
    text, bold = _font("normal", tile), _font("bold", tile)
    heads = [_wrap(name, bold, tile) for name in columns]
    titles = [_wrap(row.title, text, tile) for row in rows]
    head_height = max((_height(lines, bold) for lines in heads), default=0)
    heights = [max(tile, _height(lines, text)) for lines in titles]
    first = margin + (tile + 2 * gap if any(row.title for row in rows) else 0)
    lefts = [first + i * (tile + gap) + (2 * gap if i >= INPUTS else 0) for i in range(len(columns))]
    right = lefts[-1] + tile if lefts else first
    page = Image.new("RGB", (right + margin, 2 * margin + head_height + sum(gap + height for height in heights)), PAPER)
    draw = ImageDraw.Draw(page)
    for left, lines in zip(lefts, heads, strict=True):
        top = margin + head_height - _height(lines, bold)  # heads stand on the tiles
        _write(draw, lines, bold, left + tile / 2, top, anchor="ma")
    top = margin + head_height + gap
    for row, lines, height in zip(rows, titles, heights, strict=True):
        _write(draw, lines, text, margin, top + (height - _height(lines, text)) / 2, anchor="la")
        for left, picture in zip(lefts, row.tiles, strict=True):
            _place(page, draw, picture, (left, top + (height - tile) // 2), tile)
        top += height + gap
    return page


def _place(
    page: Image.Image, draw: ImageDraw.ImageDraw, picture: Image.Image | None, corner: tuple[int, int], tile: int
) -> None:
    """Draw one tile with its upper left at `corner`, and around it an outline, for masks that are white to the rim."""
    left, top = corner
    if picture is None:
        draw.rectangle((left, top, left + tile - 1, top + tile - 1), fill=BLANK)
        draw.text((left + tile / 2, top + tile / 2), DASH, INK, _font("normal", tile), anchor="mm")
        return
    fitted = _fit(picture, tile)
    left, top = left + (tile - fitted.width) // 2, top + (tile - fitted.height) // 2
    page.paste(fitted, (left, top))
    draw.rectangle((left - 1, top - 1, left + fitted.width, top + fitted.height), outline=FAINT)


def _fit(picture: Image.Image, tile: int) -> Image.Image:
    """RGB, its longer side `tile` pixels; see-through parts become paper."""
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", over.size, PAPER), over)
    # Lanczos rings visibly when it enlarges a picture of 64 px
    method = Image.Resampling.LANCZOS if max(picture.size) >= 128 else Image.Resampling.BICUBIC
    return ImageOps.contain(picture.convert("RGB"), (tile, tile), method)


def _font(weight: str, tile: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along, so that a page looks the same everywhere."""
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight=weight)), max(9, tile // 11))


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines of `text` no wider than `width`, broken at spaces, and inside a word that alone is too wide."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and font.getlength(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = ""
        for character in word:
            if line and font.getlength(line + character) > width:
                lines.append(line)
                line = ""
            line += character
    return [*lines, line] if line else lines


def _height(lines: Sequence[str], font: ImageFont.FreeTypeFont) -> int:
    return len(lines) * _pitch(font)


def _pitch(font: ImageFont.FreeTypeFont) -> int:
    ascent, descent = font.getmetrics()
    return ascent + descent + 1


def _write(
    draw: ImageDraw.ImageDraw, lines: Sequence[str], font: ImageFont.FreeTypeFont, x: float, top: float, *, anchor: str
) -> None:
    for i, line in enumerate(lines):
        draw.text((x, top + i * _pitch(font)), line, INK, font, anchor=anchor)
