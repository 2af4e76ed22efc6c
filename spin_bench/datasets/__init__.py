"""The benchmarks by name, all read through TF-ICON's layout."""
