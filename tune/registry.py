"""Finds a model by the name that a search space gives it: one of ours, or a file or module of somebody else's."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import trainables
from data.errors import UserError, near_names
from trainables.base import ForecastTrainable

# told from the text, because importing every model takes seconds; what models share is itself called a …Trainable
_MODEL = re.compile(r"^class \w+(?<!Trainable)\(\w+Trainable\):", re.MULTILINE)


class TrainableError(UserError):
    """A search space that names no model."""


def shipped_trainables() -> list[str]:
    """The names of the models in `trainables/`: its modules that define one, with dashes for underscores."""
    found = []
    for module in pkgutil.iter_modules(trainables.__path__):
        path = Path(trainables.__path__[0]) / module.name
        sources = path.glob("*.py") if module.ispkg else [path.with_suffix(".py")]
        if any(_MODEL.search(source.read_text(encoding="utf-8")) for source in sources):
            found.append(module.name.replace("_", "-"))
    return found


def recognise_trainable(config: Mapping[str, Any], checkpoint: str) -> str:
    """Return the name of our model that a checkpoint's config.json is of; TrainableError if of none."""
    for name in shipped_trainables():
        if find_trainable(name).recognises(config):
            return name
    raise TrainableError(
        f"{checkpoint}: a checkpoint must be of one of our models ({', '.join(shipped_trainables())}), and its "
        "config.json is of none of them; give another"
    )


def find_trainable(name: str) -> type[ForecastTrainable]:
    """Return the model class for a name of ours, `package.module`, or `path/to/file.py`; each may end in `:Class`.

    Raises TrainableError if there is none, or more than one and no `:Class`.
    """
    where, _, class_name = name.partition(":") if not _is_drive(name) else (name, "", "")
    module = _load(where, name)
    classes = {
        member.__name__: member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, ForecastTrainable) and not inspect.isabstract(member)
    }
    own = {k: c for k, c in classes.items() if f"{c.__module__}.".startswith(f"{module.__name__}.")}
    if class_name:
        if class_name not in classes:
            raise TrainableError(f"{where} must define {class_name}, and defines {', '.join(own) or 'no model'}")
        return classes[class_name]
    if len(own) != 1:
        raise TrainableError(
            f"{where} must define one ForecastTrainable, and defines {', '.join(own) or 'none'}; name it: {where}:Class"
        )
    return next(iter(own.values()))


def absolute_name(name: str, base: Path) -> str:
    """Make a file's name absolute, seen from the folder of the space that names it; other names stay as they are."""
    where, colon, class_name = name.partition(":") if not _is_drive(name) else (name, "", "")
    return f"{(base / where).resolve()}{colon}{class_name}" if where.endswith(".py") else name


def _load(where: str, name: str) -> ModuleType:
    if where.endswith(".py"):
        return _load_file(Path(where))
    dotted = where if "." in where else f"trainables.{where.replace('-', '_')}"
    if dotted.startswith("."):  # './my_model' has forgotten its suffix
        raise _no_model(name)
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name is None or not dotted.startswith(error.name):
            raise
        raise _no_model(name) from error


def _no_model(name: str) -> TrainableError:
    return TrainableError(
        f"trainable must name a model, got {name!r}; there are {', '.join(shipped_trainables())}"
        f"{near_names(name, shipped_trainables())}; a file of your own is named like my_model.py"
    )


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TrainableError(f"trainable names the file {path}, and there is none")
    module_name = f"foretune_user_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]  # asked for again, it must tell its mistake again
        raise
    return module


def _is_drive(name: str) -> bool:
    """A Windows path like C:\\models\\toy.py has a colon that names no class."""
    return len(name) > 2 and name[1] == ":" and name.count(":") == 1
