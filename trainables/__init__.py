"""The models, each behind the same narrow interface, and the trial that they share."""
