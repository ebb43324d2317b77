"""Ground floor: series, splits, tasks, windows and metrics; knows neither Ray nor Optuna."""
