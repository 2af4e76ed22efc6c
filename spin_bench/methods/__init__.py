"""What a method is, which there are, and their variants."""
