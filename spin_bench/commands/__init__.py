"""The commands of `spin-bench`, one a file."""
