"""A run to its results folder: rows, frames, provenance, distances of sets."""
