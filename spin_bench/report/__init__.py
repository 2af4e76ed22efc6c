"""What a reader sees: tables, pictures, pages. Nothing here computes a score."""
