"""Models that an installed package brings through the entry-point group foretune.trainables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.paths import REPOSITORY
from tune.registry import TrainableError, find_trainable, recognise_trainable, shipped_trainables

MODEL = """
from trainables.base import ForecastTrainable

class Acme(ForecastTrainable):
    def build(self, hyper, task): ...
    def loss(self, batch): ...
    def forecast(self, batch): ...
    def save_pretrained(self, folder): ...

    @classmethod
    def recognises(cls, config):
        return config.get("model_type") == "acme"
"""
SPACE = "trainable: acme\nfixed: {epochs: 1, batch_size: 8}\nsearch: {lr: {log: [1.0e-6, 1.0e-4]}}\n"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install("acme", acme="acme_models:Acme")` installs a package that brings models by these names."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "acme_models.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "acme_models", raising=False)

    def write(package: str, **models: str) -> None:
        info = site / f"{package}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in models.items()]
        (info / "entry_points.txt").write_text("\n".join(["[foretune.trainables]", *lines, ""]))

    return write


def rejection(name: str) -> str:
    with pytest.raises(TrainableError) as caught:
        find_trainable(name)
    return str(caught.value)


def test_a_package_brings_a_model_by_the_name_of_its_entry_point(install: Install) -> None:
    install("acme", acme_forecaster="acme_models:Acme")
    model = find_trainable("acme-forecaster")
    assert (model.__module__, model.__name__) == ("acme_models", "Acme")
    assert "acme-forecaster" not in shipped_trainables()


def test_the_models_of_packages_are_listed_beside_ours(install: Install) -> None:
    install("acme", acme="acme_models:Acme")
    message = rejection("acmee")
    assert "there are moirai, moirai-distill, time-llm, time-moe, acme;" in message
    assert "did you mean 'acme'?" in message


def test_a_checkpoint_of_a_package_s_model_is_recognised(install: Install) -> None:
    install("acme", acme="acme_models:Acme")
    assert recognise_trainable({"model_type": "acme"}, "folder") == "acme"


def test_a_name_of_ours_that_a_package_brings_too_is_rejected(install: Install) -> None:
    install("acme", moirai="acme_models:Acme")
    assert rejection("moirai") == (
        "trainable 'moirai' must name one model, and is brought by foretune and the package acme 1.2; uninstall one, "
        "or give its entry point in the group foretune.trainables another name"
    )
    assert find_trainable("time-moe").__name__ == "TimeMoe"


def test_a_name_that_two_packages_bring_is_rejected(install: Install) -> None:
    install("acme", same="acme_models:Acme")
    install("other", same="acme_models:Acme")
    message = rejection("same")
    assert message.startswith("trainable 'same' must name one model, and is brought by the package ")
    assert "acme 1.2" in message
    assert "other 1.2" in message


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("acme_models:Acne", "acme_models must define Acne, and defines Acme; did you mean 'Acme'?"),
        ("acme_models", "its entry point must be module:Class, got 'acme_models'; correct it in the package"),
        (":Acme", "its entry point must be module:Class, got ':Acme'; correct it in the package"),
        ("no_such_module:Acme", "no_such_module cannot be imported: ModuleNotFoundError: "
         "No module named 'no_such_module'; install it"),
        ("json:JSONDecoder", "json must define JSONDecoder, and defines no model"),
    ],
)  # fmt: skip
def test_a_broken_entry_point_is_one_message_and_leaves_other_names_alone(
    install: Install, value: str, why: str
) -> None:
    install("acme", acme="acme_models:Acme")
    install("broken", wrong=value)
    assert rejection("wrong") == f"trainable 'wrong' of the package broken 1.2: {why}"
    assert find_trainable("acme").__name__ == "Acme"
    assert find_trainable("moirai").__name__ == "Moirai"


def test_a_module_of_a_package_that_fails_is_shown_at_its_line(install: Install, tmp_path: Path) -> None:
    file = tmp_path / "site" / "acme_fails.py"
    file.write_text("\n1 / 0\n")
    install("acme", acme="acme_fails:Acme")
    assert rejection("acme") == (
        f"trainable 'acme' of the package acme 1.2: acme_fails cannot be imported: {file}, line 2: "
        "ZeroDivisionError: division by zero; correct it there"
    )


def test_a_checkpoint_of_no_model_is_rejected_with_the_packages_that_could_not_be_asked(install: Install) -> None:
    install("broken", wrong="no_such_module:Acme")
    assert recognise_trainable({"model_type": "time_moe"}, "folder") == "time-moe"
    with pytest.raises(TrainableError) as caught:
        recognise_trainable({"model_type": "none of these"}, "folder")
    first, second = str(caught.value).splitlines()
    assert first == (
        "folder: a checkpoint must be of a known model (moirai, moirai-distill, time-llm, time-moe, wrong), and its "
        "config.json is of none of them; give another"
    )
    assert second.startswith("trainable 'wrong' of the package broken 1.2: no_such_module cannot be imported")


def test_a_space_names_a_package_s_model_on_the_command_line(install: Install, tmp_path: Path) -> None:
    install("acme", acme="acme_models:Acme")
    space = tmp_path / "acme.yaml"
    space.write_text(SPACE)
    path = os.pathsep.join((str(tmp_path / "site"), str(REPOSITORY)))
    ended = subprocess.run(
        [sys.executable, "-m", "tune", "spaces", "check", str(space)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip() == f"{space}: a space for acme, 1 parameter(s) searched, no mistakes"
