"""The sweep service and its command line; the only place where spaces meet trainables."""

from tune.ray_backend import (
    settings as settings,  # what torch and Ray read when they are imported, before ours imports them
)
