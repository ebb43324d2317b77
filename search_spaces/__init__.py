"""What is searched: one YAML file a space, checked when read; imports neither torch nor Ray."""
