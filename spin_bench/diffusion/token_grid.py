"""The grid on which an attention layer's tokens lie."""

from torch import Tensor


def token_grid(picture: Tensor, tokens: int) -> tuple[int, int]:
    """Return rows and columns of `tokens` cells in the aspect of `picture` (..., H, W); `ValueError` if none fit."""
    height, width = picture.shape[-2:]
    shrink = (height * width / tokens) ** 0.5
    rows, columns = round(height / shrink), round(width / shrink)
    if rows * columns != tokens:
        raise ValueError(f"{height}x{width} has no grid of {tokens} tokens with its aspect")
    return rows, columns
