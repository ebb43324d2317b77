"""The sweep service and its command line; the only place where spaces meet trainables."""

from tune import ray_settings as ray_settings  # what Ray reads when it is imported, before anything of ours imports it
