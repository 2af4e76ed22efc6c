"""How much faster two Ray workers of one thread finish a CPU run than one: `make bench-workers`.

Each run is the whole command on an empty store, so that the start of Ray and the loading of models count; the run is
long enough (`limit`, `samples`) that they do not decide. The fastest of each counts, and the tables must be equal.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

WORDS = ["executor=ray", "executor.threads=1", "methods=[sd_inpaint,blended_latent_diffusion]", "metrics=[clip_i_crop]"]


def seconds(workers: int, results: Path, words: list[str]) -> float:
    """Of one run, from the command's start to its end."""
    command = [
        sys.executable,
        "-m",
        "spin_bench",
        *WORDS,
        f"executor.workers={workers}",
        f"results_dir={results}",
        *words,
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("overrides", nargs="*", default=["limit=16"], help="as for spin-bench")
    options = parser.parse_args()
    best, tables = {1: float("inf"), 2: float("inf")}, set()
    for _ in range(options.rounds):
        for workers in best:
            with TemporaryDirectory() as folder:
                best[workers] = min(best[workers], seconds(workers, Path(folder), options.overrides))
                (table,) = Path(folder).rglob("scores.parquet")
                tables.add(table.read_bytes())
    for workers, took in best.items():
        Console().print(f"{workers} workers of one thread: {took:.1f} s")
    Console().print(f"{best[1] / best[2]:.2f} times as fast; tables {'equal' if len(tables) == 1 else 'DIFFER'}")


if __name__ == "__main__":
    main()
