"""The checkpoint to take away, with its model card, and what follows a search."""
