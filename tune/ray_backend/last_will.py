"""A program of its own: waits until the process that started it has died, then ends the processes that it names.

Its arguments are pid:create_time; its standard input is a pipe that nobody writes to, and that closes with its parent.
"""

import sys
from contextlib import suppress

import psutil


def main() -> None:
    sys.stdin.read()
    for argument in sys.argv[1:]:
        pid, created = argument.split(":")
        with suppress(psutil.Error):
            process = psutil.Process(int(pid))
            if process.create_time() == float(created):
                process.kill()


if __name__ == "__main__":
    main()
