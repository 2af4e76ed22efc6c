"""`python -m spin_bench`, the same as the command `spin-bench`."""

from spin_bench.cli.main import entry

if __name__ == "__main__":
    entry()
