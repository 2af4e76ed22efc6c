"""Cases, pictures, hashing, errors, files and progress: what every room may use."""
