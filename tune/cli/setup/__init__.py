"""What is done once: looking at the machine, a file of options for one's data, completion."""
