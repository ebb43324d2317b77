"""What comes with foretune to try it on, and how it was made."""
