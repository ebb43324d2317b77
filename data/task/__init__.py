"""From a panel to a forecast task: splits, windows, scaling, batches on a device."""
