"""The life of a trial: training, evaluation, checkpoints, memory; the same for every model."""
