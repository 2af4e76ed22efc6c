"""Intervals, paired tests and rankings: pure functions of arrays."""
