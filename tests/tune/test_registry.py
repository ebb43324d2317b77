"""How a space's name for a model becomes a class: ours by name, the user's own by file or module."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from tests.paths import REPOSITORY, TOYS
from trainables.base import ForecastTrainable
from tune.registry import TRAINABLES, TrainableError, absolute_name, find_hyper_type, find_trainable, shipped_trainables

TOY = TOYS / "toy_model.py"

MODEL = """
from trainables.base import Forecast, ForecastTrainable

class {name}(ForecastTrainable):
    def build(self, hyper, task): ...
    def loss(self, batch): ...
    def forecast(self, batch): ...
    def save_pretrained(self, folder): ...
"""


def write(path: Path, *names: str) -> Path:
    """Write a file that defines a model of each name."""
    path.write_text("".join(MODEL.format(name=name) for name in names))
    return path


def rejection(name: str) -> str:
    with pytest.raises(TrainableError) as caught:
        find_trainable(name)
    return str(caught.value)


# A file of the user's own


def test_a_model_outside_the_packages_is_found_by_its_file() -> None:
    model = find_trainable(str(TOY))
    assert model.__name__ == "Toy"
    assert issubclass(model, ForecastTrainable)


def test_a_file_gives_the_same_class_every_time() -> None:
    """Trials of one worker share it; isinstance and pickling depend on it."""
    assert find_trainable(str(TOY)) is find_trainable(f"{TOY}:Toy")


def test_two_files_of_one_name_are_two_models(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first, second = (write(tmp_path / folder / "model.py", "Mine") for folder in ("a", "b"))
    assert find_trainable(str(first)) is not find_trainable(str(second))


def test_a_class_is_named_where_a_file_defines_two(tmp_path: Path) -> None:
    path = write(tmp_path / "two.py", "One", "Two")
    assert find_trainable(f"{path}:One").__name__ == "One"
    assert find_trainable(f"{path}:Two").__name__ == "Two"


def test_two_classes_in_one_file_without_a_name_are_rejected_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "two.py", "One", "Two")
    assert rejection(str(path)) == (
        f"{path} must define one ForecastTrainable, and defines One, Two; name it: {path}:Class"
    )


def test_an_imported_model_and_an_abstract_one_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from abc import abstractmethod\n"
        "from trainables.moirai.trainable import Moirai\n"
        + MODEL.format(name="Mine")
        + "\nclass Half(ForecastTrainable):\n    pass\n"
    )
    assert find_trainable(str(path)).__name__ == "Mine"


def test_a_file_without_a_model_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("x = 1\n")
    assert "must define one ForecastTrainable, and defines none" in rejection(str(path))


def test_a_class_that_a_file_does_not_define_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "model.py", "Mine")
    assert rejection(f"{path}:Other") == f"{path} must define Other, and defines Mine"


def test_a_file_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    assert rejection(str(tmp_path / "none.py")) == f"trainable names the file {tmp_path / 'none.py'}, and there is none"


def test_a_misspelt_file_gets_its_near_name(tmp_path: Path) -> None:
    write(tmp_path / "my_model.py", "Mine")
    assert rejection(str(tmp_path / "my_modle.py")).endswith("there is none; did you mean 'my_model.py'?")


def test_a_file_that_is_not_python_is_one_message_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import json\ndef x(:\n")
    assert rejection(str(path)) == f"{path} cannot be imported: line 2: invalid syntax: def x(:; correct it there"


def test_an_error_in_a_module_that_a_file_imports_is_shown_at_both_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "helper_of_a_broken_model.py"
    helper.write_text("x = 1\ny = undefined\n")
    path = tmp_path / "model.py"
    path.write_text("\nimport json\nimport helper_of_a_broken_model\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert rejection(str(path)) == (
        f"{path} cannot be imported: line 3: {helper}, line 2: NameError: name 'undefined' is not defined; "
        "correct it there"
    )


def test_a_file_that_exits_when_it_is_imported_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("import sys\nsys.exit(3)\n")
    assert rejection(str(path)) == f"{path} cannot be imported: line 2: SystemExit: 3; correct it there"


def test_a_file_with_a_mistake_shows_its_own_error_every_time(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(TrainableError) as caught:
            find_trainable(str(path))
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert str(caught.value) == (
            f"{path} cannot be imported: line 1: ZeroDivisionError: division by zero; correct it there"
        )


# Names


def test_the_shipped_models_are_listed_without_importing_them() -> None:
    assert "moirai" in shipped_trainables()
    assert not {"base", "trial", "training", "hyper", "moirai-network"} & set(shipped_trainables())


def test_every_folder_of_a_model_of_ours_has_its_line_in_the_table() -> None:
    folders = {path.parent.name for path in (REPOSITORY / "trainables").glob("*/trainable.py")}
    assert {name.replace("-", "_") for name in TRAINABLES} == folders


@pytest.mark.parametrize(("name", "targets"), TRAINABLES.items())
def test_a_line_of_the_table_leads_to_its_classes(name: str, targets: tuple[str, str]) -> None:
    model = find_trainable(name)
    assert find_hyper_type(name) is model.hyper_type
    assert tuple(f"{each.__module__}:{each.__qualname__}" for each in (model, model.hyper_type)) == targets
    assert find_trainable(targets[0]) is model


def test_an_unknown_name_is_rejected_with_the_near_one() -> None:
    message = rejection("moiray")
    assert "trainable must name a model, got 'moiray'" in message
    assert "did you mean 'moirai'" in message
    assert "a file of your own is named like my_model.py" in message


@pytest.mark.parametrize("name", ["no.such.module", "trainables.no_such", "nothing"])
def test_a_module_that_is_not_there_is_rejected(name: str) -> None:
    assert f"trainable must name a model, got {name!r}" in rejection(name)


def test_a_module_of_ours_that_is_no_model_is_rejected() -> None:
    assert "trainables.trial.schedule must define one ForecastTrainable, and defines none" in rejection(
        "trainables.trial.schedule"
    )


def test_a_module_of_an_installed_package_is_found_by_its_dotted_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").touch()
    write(package / "model.py", "Theirs", "Other")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_trainable("their_package.model:Theirs").__name__ == "Theirs"


def test_a_module_without_a_package_is_found_where_its_class_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "their_only_module.py", "Theirs")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_trainable("their_only_module:Theirs").__name__ == "Theirs"


def test_a_misspelt_class_gets_its_near_name() -> None:
    assert rejection("moirai:Morai") == (
        "trainables.moirai.trainable must define Morai, and defines Moirai; did you mean 'Moirai'?"
    )


def test_a_package_that_a_model_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is not the model: the import error says more than that there is no such model."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "their_other").mkdir()
    (tmp_path / "their_other" / "__init__.py").write_text("import package_that_nobody_has\n")
    (tmp_path / "their_other" / "model.py").touch()
    file = tmp_path / "their_other" / "__init__.py"
    with pytest.raises(TrainableError) as caught:
        find_trainable("their_other.model")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert str(caught.value) == (
        f"their_other.model cannot be imported: {file}, line 1: ModuleNotFoundError: "
        "No module named 'package_that_nobody_has'; install it"
    )


# Absolute names, kept in the sweep's record


@pytest.mark.parametrize(
    ("name", "absolute"),
    [
        ("model.py", "/spaces/model.py"),
        ("model.py:Mine", "/spaces/model.py:Mine"),
        ("../models/model.py:Mine", "/models/model.py:Mine"),
        ("/elsewhere/model.py", "/elsewhere/model.py"),
        ("moirai", "moirai"),
        ("package.module:Class", "package.module:Class"),
    ],
)
@pytest.mark.skipif(Path("/").drive != "", reason="POSIX paths")
def test_a_file_is_seen_from_the_folder_of_the_space_that_names_it(name: str, absolute: str) -> None:
    assert absolute_name(name, Path(PurePosixPath("/spaces"))) == absolute
