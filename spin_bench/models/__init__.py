"""The frozen models of one scale, and how they are found, checked and loaded."""
