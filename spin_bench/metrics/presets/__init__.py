"""Published protocols, faults included: one file each, run beside our own metrics under names with an @.

A preset keeps the crop, resize, mask, range and aggregation of its source. Its encoder is the stack's own, as the
record says, so a number equals a published one only on a stack that carries the published encoder.
"""
