"""A checkpoint at work: evaluated on windows, or for one forecast."""
