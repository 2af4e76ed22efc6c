"""A run's numbers as figures, as PNG for the screen and PDF for a paper: one kind of figure a file."""
