"""The commands of `spin-bench`: one file each, a function of the composed configuration and the terminal."""
