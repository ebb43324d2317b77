"""Search spaces: one YAML file each, checked when it is read. Imports neither torch nor pandas nor Ray."""
