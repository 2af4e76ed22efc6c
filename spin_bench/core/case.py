"""One painting task, as every method and every metric sees it."""

from dataclasses import dataclass

from PIL import Image

DOMAINS = ("real", "cartoon", "painting", "sketch")


@dataclass(frozen=True)
class Case:
    """Put the reference's object into the masked region of the background.

    `background` and `mask` have the canvas size of the stack; `reference` has any size.
    """

    id: str  # "<domain>-<index>", safe as a file name
    domain: str  # of DOMAINS: the background's; the reference is always a photo
    prompt: str
    background: Image.Image  # RGB
    mask: Image.Image  # L, painted where 255, else 0
    reference: Image.Image  # RGB
    reference_mask: Image.Image | None  # L in {0, 255}, the size of `reference`; its object
    truth: Image.Image | None = None  # RGB, the true composite where a benchmark knows it
    subject: str = ""  # the object's noun where the benchmark says it
    novel: bool = False  # no shipped model was trained on this object
    colour: str = ""  # of the individual, where the benchmark says it; no prompt does
    pattern: str = ""
    digest: str = ""  # SHA-256 of everything above; part of the identity of its results

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The mask's bounding box: left, top, right, bottom (exclusive), px. A loaded mask is never empty."""
        box = self.mask.getbbox()
        if box is None:
            raise ValueError(f"case {self.id}: its mask is empty")
        return box
