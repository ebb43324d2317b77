"""Pretrains the bundled models on series made from a seed: `python -m trainables.pretraining moirai-tiny`."""

from __future__ import annotations

import argparse
import logging
from importlib.util import find_spec
from pathlib import Path

from data.samples.bundled import HERE
from data.samples.synthetic import make_sample
from trainables.pretraining.moirai import make_moirai_tiny
from trainables.pretraining.time_moe import make_time_moe_tiny

logger = logging.getLogger(__name__)

STEPS = {"moirai-tiny": 15_000, "time-moe-tiny": 3_000}  # what the bundled weights were trained for


def main() -> None:
    """Write the bundled sample dataset, or pretrain and write a bundled model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*STEPS, "sample"])
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--to", type=Path, default=None, help="where to write; default: in the package")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.what == "sample":
        make_sample().to_csv(arguments.to or HERE / "bundled" / "sample.csv", index=False)
        return
    if arguments.what == "moirai-tiny" and find_spec("uni2ts") is None:
        parser.error("moirai-tiny begins with weights that uni2ts draws, a library of the project's development group")
    folder = arguments.to or HERE / "pretrained" / arguments.what
    make = make_moirai_tiny if arguments.what == "moirai-tiny" else make_time_moe_tiny
    make(arguments.steps or STEPS[arguments.what]).save_pretrained(folder)
    logger.info("written to %s", folder)


if __name__ == "__main__":
    main()
