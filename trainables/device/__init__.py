"""What a trial knows of its device: memory that runs out, precision, and how hot the card is."""
