"""Untrained stand-ins for parts that the shipped stack does not have: good for arithmetic, never for a table."""

from dataclasses import replace

import torch

from spin_bench.models.stack import PixelDiffusion, PowerPaint, Stack
from spin_bench.models.task_tokens import task_tokenizer, with_room_for_tasks
from training.train_inpaint import widened
from training.train_pixel import build_pixel_scheduler, build_pixel_unet


def with_stand_ins(stack: Stack) -> Stack:
    """`stack` with its text-to-image UNet widened for inpainting, and a pixel-space model of random weights."""

    def inpaint_unet():
        torch.manual_seed(1)
        unet = widened(stack.loaders.unet())
        torch.nn.init.normal_(unet.conv_in.weight[:, stack.latent_channels :], std=0.02)
        return unet

    def powerpaint() -> PowerPaint:
        tokenizer = task_tokenizer(stack.loaders.tokenizer())
        return PowerPaint(inpaint_unet(), with_room_for_tasks(stack.loaders.text_encoder(), tokenizer), tokenizer)

    def pixel() -> PixelDiffusion:
        torch.manual_seed(2)
        return PixelDiffusion(build_pixel_unet(), build_pixel_scheduler())

    makers = {"inpaint_unet": inpaint_unet, "powerpaint": powerpaint, "pixel": pixel}
    loaders = replace(stack.loaders, **{part: makers[part] for part in stack.missing()})
    return replace(stack, loaders=loaders)
