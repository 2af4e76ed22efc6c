"""Published files: which a stack needs, fetched, checked by hash, found again."""
