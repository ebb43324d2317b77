"""The specification: a folder a room, a file a module."""
