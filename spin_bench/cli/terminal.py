"""What a command prints, and what libraries may."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def terminal() -> "Console":
    """Standard output; libraries say no more than what a person wants to know."""
    from rich.console import Console
    from rich.logging import RichHandler

    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(show_path=False)], force=True)
    # fontTools tells of every letter that it embeds in a PDF, the hub's client of every request
    for talker in ("fontTools", "httpx", "httpx2"):
        logging.getLogger(talker).setLevel(logging.WARNING)
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return Console()


def say(console: "Console", *parts: str | Path) -> None:
    """Print one line, its paths bold; what stands in brackets is text."""
    from rich.text import Text

    styled = [(str(part), "bold") if isinstance(part, Path) else part for part in parts]
    console.print(Text.assemble(*styled), soft_wrap=True)
