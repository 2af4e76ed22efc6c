"""Rebuild the committed sprites from the npm package that carries Microsoft's Fluent Emoji 3D set (MIT).

npm pack @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz
python -m training.build_sprites package/assets
"""

import csv
import sys
from pathlib import Path

from PIL import Image

from spin_bench.mini.sprites import SPRITES_DIR

SIDE = 224  # px; the largest object of a scene is drawn at 0.85 of a 256 px canvas


def trim(picture: Image.Image) -> Image.Image:
    """Cut the empty margin and centre the object on a transparent square of `SIDE` px."""
    cut = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())
    scale = SIDE / max(cut.size)
    cut = cut.resize((round(cut.width * scale), round(cut.height * scale)), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(cut, ((SIDE - cut.width) // 2, (SIDE - cut.height) // 2))
    return square


def main(assets: Path) -> None:
    with (SPRITES_DIR / "sprites.csv").open() as table:
        for row in csv.DictReader(table):
            picture = Image.open(assets / f"{row['code']}.webp").convert("RGBA")
            name = row["noun"].replace(" ", "_")
            trim(picture).save(SPRITES_DIR / f"{name}.webp", quality=92, method=6, exact=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
