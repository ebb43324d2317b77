"""An error that leaves a process useless, such as an illegal access on a GPU: the worker is replaced."""

import json
import re

import pytest

from tests.paths import TOYS
from tests.tune.service import foretune, leaderboard_of, repeatable

pytestmark = pytest.mark.sweeps

POISONED = '''
import os

NOTE = Path({note!r})


class Poisoned(Toy):
    """From its 200th training step on nothing works in the first process that comes so far, as after a CUDA error."""

    steps, is_poisoned = 0, False

    def loss(self, batch):
        Poisoned.steps += self.module.training
        if Poisoned.steps == 200 and not NOTE.exists():
            NOTE.write_text(str(os.getpid()))
            Poisoned.is_poisoned = True
        if Poisoned.is_poisoned:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return super().loss(batch)
'''


def sweep_in(folder, name, more=""):
    """Sweep two trials of a toy in a folder of its own; name: of its class. more: what its file has beside the toy."""
    folder.mkdir()
    (folder / "toy_model.py").write_text((TOYS / "toy_model.py").read_text() + more)
    (folder / "toy.yaml").write_text((TOYS / "toy.yaml").read_text().replace(":Toy", f":{name}"))
    done = foretune("sweep", "toy.yaml", "--data", "sample", "--name", "a", "--trials", "2", "--seed", "3", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.slow  # as test_lost_memory.py, where the kernel ends the worker
def test_a_poisoned_process_is_replaced_and_the_trial_goes_on_from_its_checkpoint(tmp_path):
    note = tmp_path / "poisoned"
    sweep_in(tmp_path / "poisoned_one", "Poisoned", POISONED.format(note=str(note)))
    assert re.fullmatch(r"[0-9]+", note.read_text())
    sweep_in(tmp_path / "sound", "Toy")
    found, expected = (leaderboard_of("a", tmp_path / name) for name in ("poisoned_one", "sound"))
    assert repeatable(found) == repeatable(expected)
    lines = (tmp_path / "poisoned_one" / "ray_results" / "a" / "t0000" / "result.json").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == sorted(set(epochs))  # none was run twice
