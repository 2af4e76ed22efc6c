"""Who does the work of a run. An executor returns when its part is done; what it painted and scored is in the store."""
