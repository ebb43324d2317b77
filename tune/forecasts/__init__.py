"""A checkpoint asked: evaluated on windows, or for one forecast."""
