"""What is seen of a sweep while it runs: lines where output is piped, a live view on a terminal."""
