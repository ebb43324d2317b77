"""What TensorBoard shows of a sweep: a run a trial, the models beside them, HPARAMS, forecasts and the verdict."""
