"""Finds a model by the name that a search space gives it: one of ours, an installed package's, or the user's own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import shlex
import sys
import traceback
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path, PurePath
from types import ModuleType
from typing import TYPE_CHECKING

from data.errors import UserError, near_names
from data.files import expand
from trainables.hyper import Hyper

if TYPE_CHECKING:
    from trainables.sweep_trainable import SweepModel

# A model of ours is a folder in trainables/, with trainable.py and hyper.py, a YAML file in search_spaces/ and a line
# here. Its hyperparameters are apart because torch takes seconds to import, and a space is checked without it.
TRAINABLES = {
    "moirai": ("trainables.moirai.trainable:Moirai", "trainables.moirai.hyper:MoiraiHyper"),
    "moirai-distill": (
        "trainables.moirai_distill.trainable:MoiraiDistill",
        "trainables.moirai_distill.hyper:MoiraiDistillHyper",
    ),
    "time-llm": ("trainables.time_llm.trainable:TimeLlm", "trainables.time_llm.hyper:TimeLlmHyper"),
    "time-moe": ("trainables.time_moe.trainable:TimeMoe", "trainables.time_moe.hyper:TimeMoeHyper"),
}
ENTRY_POINTS = "foretune.trainables"  # the group in which an installed package names its models, name = module:Class


class TrainableError(UserError):
    """A name that leads to no model."""


def shipped_trainables() -> list[str]:
    """The names of our models."""
    return list(TRAINABLES)


def recognise_trainable(config: Mapping[str, object], checkpoint: str) -> str:
    """Return the name of the model that a checkpoint's config.json is of; TrainableError if of none."""
    unusable = []
    for name in _known():
        try:
            model = find_trainable(name)
        except TrainableError as error:
            unusable.append(f"\n{error}")
            continue
        if model.recognises(config):
            return name
    raise TrainableError(
        f"{checkpoint}: a checkpoint must be of a known model ({', '.join(_known())}), and its "
        f"config.json is of none of them; give another{''.join(unusable)}"
    )


def find_trainable(name: str) -> type[SweepModel]:
    """Return the model class for a registered name, `package.module`, or `path/to/file.py`; each may end in `:Class`.

    A registered name is one of ours or an entry point of an installed package. Raises TrainableError if there is no
    such model, more than one and no `:Class`, or a module of the user's that cannot be imported.
    """
    where, class_name = _split(name)
    if where.endswith(".py"):
        return _class_in(_load_file(Path(where)), where, class_name)
    installed = _installed(where)
    if (where in TRAINABLES) + len(installed) > 1:
        raise _clash(where, installed)
    if where in TRAINABLES:
        module, _, own_class = TRAINABLES[where][0].partition(":")
        return _class_in(importlib.import_module(module), module, class_name or own_class)
    if installed:
        return _installed_class(installed[0], class_name)
    if where.startswith(".") or not ("." in where or class_name):  # './my_model' has forgotten its suffix
        raise _no_model(name)
    return _class_in(_import_module(where, name), where, class_name)


def find_hyper_type(name: str) -> type[Hyper]:
    """Return the class of a model's hyperparameters, without loading torch where the model is ours.

    Raises TrainableError as `find_trainable` does.
    """
    if name not in TRAINABLES or _installed(name):
        return find_trainable(name).hyper_type
    module, _, hyper_class = TRAINABLES[name][1].partition(":")
    hyper_type: type[Hyper] = getattr(importlib.import_module(module), hyper_class)
    return hyper_type


def own_modules(name: str) -> tuple[str, ...]:
    """Return the modules that a model of ours is in; none for others, whose code is run only where it is needed."""
    return tuple(target.partition(":")[0] for target in TRAINABLES.get(name, ()))


def is_registered(name: str) -> bool:
    """Return whether a name is of one of our models or of an installed package's entry point."""
    where, _ = _split(name)
    return where in TRAINABLES or bool(_installed(where))


def find_checkpoints_trainable(recorded: str, trusted: str | None, checkpoint: str) -> type[SweepModel]:
    """Return the model class that a checkpoint names: code of a stranger's is run only if the user has typed it.

    trusted: the file or module that the user trusts, used in place of the recorded one of the same name. Raises
    TrainableError if the checkpoint names a file or a module that is not trusted.
    """
    if is_registered(recorded):
        return find_trainable(recorded)
    where, class_name = _split(recorded)
    if trusted is None:
        raise TrainableError(
            f"{checkpoint} is of a model that is not foretune's nor an installed package's, and to load it would run "
            f"{where}; look at that code first, then add --trust {shlex.quote(where)}"
        )
    own, own_class = _split(trusted)
    is_file = where.endswith(".py")
    if (Path(own).name if is_file else own) != (PurePath(where.replace("\\", "/")).name if is_file else where):
        raise TrainableError(f"--trust must name what {checkpoint} is of, {where}, got {own}")
    class_name = own_class or class_name
    own = str(expand(own).absolute()) if is_file else own
    return find_trainable(f"{own}:{class_name}" if class_name else own)


def absolute_name(name: str, base: Path) -> str:
    """Make a file's name absolute, seen from the folder of the space that names it; other names are unchanged."""
    where, class_name = _split(name)
    return f"{(base / where).resolve()}{':' if class_name else ''}{class_name}" if where.endswith(".py") else name


def _split(name: str) -> tuple[str, str]:
    """Split off `:Class`; a Windows path like C:\\models\\toy.py has a colon that names no class."""
    if len(name) > 2 and name[1] == ":" and name.count(":") == 1:
        return name, ""
    where, _, class_name = name.partition(":")
    return where, class_name


def _class_in(module: ModuleType, where: str, class_name: str) -> type[SweepModel]:
    """Return the module's class of this name, or its only model where the name is ''."""
    from trainables.base import ForecastTrainable
    from trainables.sweep_trainable import as_sweep_trainable

    classes = {
        member.__name__: member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, ForecastTrainable) and not inspect.isabstract(member)
    }
    own = {k: c for k, c in classes.items() if f"{c.__module__}.".startswith(f"{module.__name__}.")}
    if class_name:
        if class_name not in classes:
            raise TrainableError(
                f"{where} must define {class_name}, and defines {', '.join(own) or 'no model'}"
                f"{near_names(class_name, own)}"
            )
        return as_sweep_trainable(classes[class_name])
    if len(own) != 1:
        raise TrainableError(
            f"{where} must define one ForecastTrainable, and defines {', '.join(own) or 'none'}; name it: {where}:Class"
        )
    return as_sweep_trainable(next(iter(own.values())))


# Models of installed packages


def _known() -> list[str]:
    """Our models, then those of installed packages."""
    return list(dict.fromkeys([*TRAINABLES, *sorted(entry_points(group=ENTRY_POINTS).names)]))


def _installed(name: str) -> list[EntryPoint]:
    return list(entry_points(group=ENTRY_POINTS, name=name))


def _installed_class(entry: EntryPoint, class_name: str) -> type[SweepModel]:
    """Return the class that an entry point names, or another one of its module."""
    module, _, own_class = (part.strip() for part in entry.value.partition(":"))
    try:
        if not (module and own_class):
            raise TrainableError(
                f"its entry point must be module:Class, got {entry.value!r}; correct it in the package"
            )
        return _class_in(_import_module(module), module, class_name or own_class)
    except TrainableError as error:
        raise TrainableError(f"trainable {entry.name!r} of the package {_package(entry)}: {error}") from error


def _clash(name: str, installed: list[EntryPoint]) -> TrainableError:
    owners = ["foretune"] if name in TRAINABLES else []
    owners += [f"the package {_package(entry)}" for entry in installed]
    return TrainableError(
        f"trainable {name!r} must name one model, and is brought by {' and '.join(owners)}; uninstall one, "
        f"or give its entry point in the group {ENTRY_POINTS} another name"
    )


def _package(entry: EntryPoint) -> str:
    return "without a name" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


# Modules and files of the user's own


def _no_model(name: str) -> TrainableError:
    known = _known()
    return TrainableError(
        f"trainable must name a model, got {name!r}; there are {', '.join(known)}"
        f"{near_names(name, known)}; a file of your own is named like my_model.py"
    )


def _import_module(dotted: str, name: str = "") -> ModuleType:
    """Import a module that is not ours; name: what the user typed for it, '' where a package's entry point did."""
    try:
        return importlib.import_module(dotted)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if name and missing and f"{dotted}.".startswith(f"{missing}."):
            raise _no_model(name) from error
        raise _import_error(dotted, error) from error


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        hint = near_names(path.name, [other.name for other in path.parent.glob("*.py")])
        raise TrainableError(f"trainable names the file {path}, and there is none{hint}")
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
    except BaseException as error:
        del sys.modules[module_name]  # asked for again, it reports its mistake again
        if isinstance(error, (Exception, SystemExit)):
            raise _import_error(str(path), error) from error
        raise
    return module


def _import_error(where: str, error: BaseException) -> TrainableError:
    """Say in which file and line an import failed, and why."""
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, SyntaxError):
        what = ": ".join(part for part in (error.msg, (error.text or "").strip()) if part)
        places = [(error.filename or where, error.lineno)]
    else:
        frames = ((frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__))
        places = [place for place in frames if not _is_import_machinery(place[0])]
    remedy = "install it" if isinstance(error, ModuleNotFoundError) else "correct it there"
    ends = dict(places[:1] + places[-1:])  # where the module itself is, and where the error was raised
    lines = [f"{'' if file == where else f'{file}, '}line {line}" for file, line in ends.items() if line]
    return TrainableError(f"{where} cannot be imported: {': '.join([*lines, what])}; {remedy}")


def _is_import_machinery(file: str) -> bool:
    return file.startswith("<frozen") or file in (__file__, importlib.__file__)
