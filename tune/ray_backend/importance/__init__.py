"""Which hyperparameters mattered, by Optuna."""
