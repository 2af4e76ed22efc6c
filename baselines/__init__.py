"""The methods that Spin is compared with: one file each, composed from `spin_bench.diffusion`."""
