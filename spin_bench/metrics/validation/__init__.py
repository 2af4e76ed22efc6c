"""Whether metrics measure what they claim: ladders of known faults."""
