"""Families of known faults, by the names of their ladders: what the record of a metric claims to fall on."""

PASTES = ("copy_paste", "feathered_paste")
SEAMS = (*PASTES, "hard_edge", "colour_shift")
STYLES = (*PASTES, "colour_shift", "wrong_style")
SEAMS_AND_STYLES = (*SEAMS, "wrong_style")
SCENE = ("scene_noise", "scene_blurred")  # faults outside the mask
LINES = (*SEAMS, "blurred", "shifted", *SCENE)
IDENTITY = ("untouched", "wrong_object", "wrong_hue")
