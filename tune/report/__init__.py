"""What a sweep looks like: the page, its plots and sentences, TensorBoard."""
