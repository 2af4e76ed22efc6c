"""What is kept of a picture, or of the attempt to paint one."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """What is known of one picture."""

    run_key: str
    method: str
    case: str
    domain: str
    k: int
    seed: int
    seconds: float  # of the method: its share of the batch
    peak_memory_mb: float | None  # of the accelerator; None on CPU
    versions: dict[str, str]
    facts: dict[str, float] = field(default_factory=dict)  # what the method itself says of the picture
    sha256: str = ""  # of the PNG file


@dataclass(frozen=True)
class Failure:
    """Why there is no picture."""

    method: str
    case: str
    k: int
    reason: str  # one line
    traceback: str
