"""What a checkpoint is made of: where it is, its files, weights that fit."""
