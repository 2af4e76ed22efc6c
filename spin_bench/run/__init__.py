"""Plan, paint, score, resume."""
