"""The embedded world: scenes, the benchmark made of them, and the small networks that know them."""
