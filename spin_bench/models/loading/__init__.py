"""From files or random weights to a stack."""
