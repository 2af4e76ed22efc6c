"""guided-diffusion's UNet written again from its paper and released code's structure, to compare a conversion with.

Names of modules are the checkpoint's own. Nothing here is shared with diffusers or with the package.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Residual(nn.Module):
    """Norm, SiLU, (resize,) convolution; norm scaled and shifted by time, SiLU, convolution; skip."""

    def __init__(self, width: int, out: int, time: int, groups: int, resize: str = ""):
        super().__init__()
        self.resize = resize
        self.in_layers = nn.Sequential(nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, out), nn.SiLU(), nn.Dropout(0.0), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if width == out else nn.Conv2d(width, out, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        norm, act, conv = self.in_layers
        h = act(norm(x))
        if self.resize == "down":
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        if self.resize == "up":
            h, x = (F.interpolate(value, scale_factor=2, mode="nearest") for value in (h, x))
        h = conv(h)
        scale, shift = self.emb_layers(time)[:, :, None, None].chunk(2, 1)
        h = self.out_layers[0](h) * (1 + scale) + shift
        return self.skip_connection(x) + self.out_layers[1:](h)


class _Attention(nn.Module):
    """Queries, keys and values of one head lie beside each other: (heads, 3, channels of a head)."""

    def __init__(self, width: int, head: int, groups: int):
        super().__init__()
        self.heads = width // head
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        n, width, *grid = x.shape
        flat = x.reshape(n, width, -1)
        joined = self.qkv(self.norm(flat)).reshape(n * self.heads, 3, width // self.heads, -1)
        q, k, v = joined.unbind(1)
        weights = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / math.sqrt(width // self.heads), dim=-1)
        mixed = torch.einsum("bts,bcs->bct", weights, v).reshape(n, width, -1)
        return (flat + self.proj_out(mixed)).reshape(n, width, *grid)


class _Steps(nn.Sequential):
    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        for step in self:
            x = step(x, time) if isinstance(step, (_Residual, _Attention)) else step(x)
        return x


class PublishedUNet(nn.Module):
    """`forward(x, t)` to six channels: noise and variance."""

    def __init__(self, channels: tuple[int, ...], attention: tuple[bool, ...], layers: int, head: int, groups: int):
        super().__init__()
        self.width, time = channels[0], 4 * channels[0]
        self.time_embed = nn.Sequential(nn.Linear(self.width, time), nn.SiLU(), nn.Linear(time, time))
        self.input_blocks = nn.ModuleList([_Steps(nn.Conv2d(3, self.width, 3, padding=1))])
        skips, width = [self.width], self.width
        for level, out in enumerate(channels):
            for _ in range(layers):
                steps: list[nn.Module] = [_Residual(width, out, time, groups)]
                width = out
                if attention[level]:
                    steps.append(_Attention(width, head, groups))
                self.input_blocks.append(_Steps(*steps))
                skips.append(width)
            if level < len(channels) - 1:
                self.input_blocks.append(_Steps(_Residual(width, width, time, groups, "down")))
                skips.append(width)
        self.middle_block = _Steps(
            _Residual(width, width, time, groups),
            _Attention(width, head, groups),
            _Residual(width, width, time, groups),
        )
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(channels))):
            for layer in range(layers + 1):
                steps = [_Residual(width + skips.pop(), channels[level], time, groups)]
                width = channels[level]
                if attention[level]:
                    steps.append(_Attention(width, head, groups))
                if level and layer == layers:
                    steps.append(_Residual(width, width, time, groups, "up"))
                self.output_blocks.append(_Steps(*steps))
        self.out = nn.Sequential(nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, 6, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        half = self.width // 2
        angles = t[:, None].float() * torch.exp(-math.log(10000) * torch.arange(half) / half)
        time = self.time_embed(torch.cat([angles.cos(), angles.sin()], 1))
        kept = []
        for block in self.input_blocks:
            x = block(x, time)
            kept.append(x)
        x = self.middle_block(x, time)
        for block in self.output_blocks:
            x = block(torch.cat([x, kept.pop()], 1), time)
        return self.out(x)
