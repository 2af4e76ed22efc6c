"""Arithmetic of the tests, by loops and whole matrices."""

import torch
from torch import Tensor


def bilinear(image: Tensor, side: int) -> Tensor:
    """(H, H) to (side, side), pixel by pixel: a weighted mean of the four neighbours of each new pixel's centre."""
    resized, scale, last = torch.empty(side, side), len(image) / side, len(image) - 1
    for i in range(side):
        for j in range(side):
            y, x = (max((k + 0.5) * scale - 0.5, 0) for k in (i, j))
            above, left = int(y), int(x)
            below, right = min(above + 1, last), min(left + 1, last)
            dy, dx = y - above, x - left
            top = (1 - dx) * image[above, left] + dx * image[above, right]
            bottom = (1 - dx) * image[below, left] + dx * image[below, right]
            resized[i, j] = (1 - dy) * top + dy * bottom
    return resized


class WrittenOut:
    """Section by section of the paper's attention control, with every matrix in full."""

    def __init__(self, mask: Tensor, *, renormalise: bool = False):
        self.mask, self.renormalise, self.resized = mask, renormalise, {}

    def _foreground(self, tokens: int) -> Tensor:
        if tokens not in self.resized:
            self.resized[tokens] = bilinear(self.mask, round(tokens**0.5)).flatten()
        return self.resized[tokens]

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        crossing = encoder_hidden_states is not None
        context = encoder_hidden_states if crossing else hidden_states
        a = self._foreground(hidden_states.shape[1])
        allowed = torch.ones(len(a), context.shape[1])
        for i in range(len(a)):
            if crossing:
                allowed[i, 1:] = a[i]
            else:
                allowed[i] = 1 - (1 - a[i]) * a
        width = attn.to_q.out_features // attn.heads
        heads = []
        for head in range(attn.heads):
            rows = slice(head * width, (head + 1) * width)
            q, k, v = ((x @ layer.weight[rows].T) for x, layer in
                       ((hidden_states, attn.to_q), (context, attn.to_k), (context, attn.to_v)))  # fmt: skip
            exponent = torch.einsum("nid,njd->nij", q, k) / width**0.5
            raised = (exponent - exponent.amax(2, keepdim=True)).exp()
            weights = raised / raised.sum(2, keepdim=True) * allowed
            if self.renormalise:
                weights = weights / weights.sum(2, keepdim=True)
            heads.append(torch.einsum("nij,njd->nid", weights, v))
        return torch.cat(heads, 2) @ attn.to_out[0].weight.T + attn.to_out[0].bias
