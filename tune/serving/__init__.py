"""A checkpoint as a service: a forecast for each series that a request brings, over HTTP."""
