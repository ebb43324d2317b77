"""The sweep service and its command line; the only place where spaces meet trainables."""
