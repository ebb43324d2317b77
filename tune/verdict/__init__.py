"""What a sweep's windows say of its trials: the verdict, the confidence set, blends and advice."""
