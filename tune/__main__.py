"""`python -m tune` is `foretune`, also in a folder that has a `data` of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before the current folder, which `-m` puts first

from tune.cli.main import run

if __name__ == "__main__":
    run()
