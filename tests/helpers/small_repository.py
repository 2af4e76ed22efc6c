"""Repositories shaped as Stable Diffusion 1.4's and its inpainting sibling's are, at reduced width."""

import json
from pathlib import Path

import torch
from random_stack import _tokenizer, random_stack
from safetensors.torch import load_file, save_file

BASE, INPAINT = "spin/small-diffusion", "spin/small-inpainting"


def write_repositories(root: Path) -> dict[str, Path]:
    """Two folders below `root`, by repository name; the second has its weights as fp16 alone."""
    stack, base, inpaint = random_stack(), root / "base", root / "inpaint"
    for name in ("vae", "unet", "text_encoder"):
        getattr(stack, name).save_pretrained(base / name)
    stack.scheduler.save_pretrained(base / "scheduler")
    _write_tokenizer(base / "tokenizer")
    _as_published(base)
    stack.inpaint_unet.to(torch.float16).save_pretrained(inpaint / "unet", variant="fp16")
    return {BASE: base, INPAINT: inpaint}


def _write_tokenizer(folder: Path) -> None:
    """The files that old repositories have, where today's tokenizers would save one."""
    tokenizer = _tokenizer()
    folder.mkdir(parents=True)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    lines = [" ".join(merge) if isinstance(merge, list) else merge for merge in merges]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines]) + "\n")
    (folder / "vocab.json").write_text(json.dumps(tokenizer.get_vocab()))
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps({**special, "unk_token": "<|endoftext|>"}))
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": tokenizer.model_max_length, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _as_published(base: Path) -> None:
    """The names that the published files have: a prefix in the text encoder, old ones in the VAE's attention."""
    path = base / "text_encoder" / "model.safetensors"
    state = load_file(path)
    named = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in state.items()}
    named["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(named, path, metadata={"format": "pt"})
    path = base / "vae" / "diffusion_pytorch_model.safetensors"
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    renamed = {}
    for name, tensor in load_file(path).items():
        for new, before in old.items():
            name = name.replace(new, before) if "attentions" in name else name
        renamed[name] = tensor
    save_file(renamed, path, metadata={"format": "pt"})
