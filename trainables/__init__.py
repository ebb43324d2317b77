"""The models, each behind the same narrow interface, and the life of a trial that they share."""
