"""What running will take, and took."""
