"""Trials ranked beside the model they started from: what every report of a sweep is made of."""
