"""How many cases are drawn, and from which seed: the same ones in every run, or with `-m fuzz` fresh ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from data.samples.bundled import SAMPLES
from search_spaces.library import load_space
from tests.fuzz.cases import LONG, SHORT
from tests.fuzz.commands import run
from tests.paths import TOYS
from tests.tune.export.searched import TOY, models_of
from tune.records.spec import DataSource
from tune.registry import find_trainable

_SHARED = {
    "database": None,
    "deadline": None,  # tests.fuzz.cases has its own, which also ends what hangs
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate, Phase.shrink),
    "report_multiple_bugs": False,
    "print_blob": True,  # on a failure: what draws the same case again
}


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile(SHORT, derandomize=True, **_SHARED)
    settings.register_profile(LONG, derandomize=False, **_SHARED)
    settings.load_profile(LONG if config.getoption("markexpr") == "fuzz" else SHORT)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two trials that has ended, without its study."""
    folder = tmp_path_factory.mktemp("finished") / "whole"
    folder.mkdir()
    sweep = models_of(folder, find_trainable(TOY), (1e-2, 1e-6), epochs=2).sweep
    space = load_space(str(TOYS / "toy.yaml")).to_dict()
    data = DataSource(path=str(SAMPLES["sample"]), content_hash=sweep.panel().content_hash)
    sweep.spec.model_copy(update={"space": space, "data": data}).write(sweep.folder)
    sweep.folder.lock.touch()
    ended = run("finish", "whole", "--storage", folder.parent, cwd=folder, limited=False)
    assert ended.status == 0, ended
    assert (folder / "best" / "foretune.json").is_file()
    return folder
