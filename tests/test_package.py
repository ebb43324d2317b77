"""The wheel: what is in it, what it asks for, and that it works in an environment and a folder of the user's own."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.paths import REPOSITORY

PACKAGES = ("tune", "trainables", "search_spaces", "data")
UV = os.environ.get("UV") or shutil.which("uv")
MOST_BYTES, MOST_UNPACKED_BYTES = 5_000_000, 8_000_000  # 3.9 and 6.3 MB, of which two tiny models are 4.1
STRANGER = 'raise SystemExit("a package of the user was taken for one of ours")\n'
SMALL = ("--set", "epochs=1", "--max-windows", "20", "--max-eval-windows", "20", "--trials", "2", "--name", "n")
# imported where they are installed, or with a message that names what installs them
SERVING = {"fastapi", "fastapi_offline", "starlette", "uvicorn"}
OPTIONAL = {"gluonts", "optuna_dashboard", "zstandard", "uni2ts", *SERVING}
# what another package promises as part of itself
BROUGHT = {"markupsafe": "jinja2", "sqlalchemy": "optuna"}
pytestmark = pytest.mark.skipif(UV is None, reason="needs uv")


def project() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    return settings


def run(*command: str | Path, cwd: Path, statuses: tuple[int, ...] = (0,), **environment: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in statuses, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `uv build` makes."""
    folder = tmp_path_factory.mktemp("dist")
    run(str(UV), "build", "--quiet", "--wheel", "--out-dir", folder, REPOSITORY, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The files in it."""
    return {name for name in ZipFile(wheel).namelist() if not name.endswith("/")}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Any:
    (name,) = (name for name in ZipFile(wheel).namelist() if name.endswith("METADATA"))
    return Parser().parsestr(ZipFile(wheel).read(name).decode())


# --- what is in it


def test_the_wheel_holds_the_four_packages_whole_and_nothing_else(names: set[str]) -> None:
    ours = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - info == ours
    assert {name.split("/", 1)[1] for name in info} >= {"METADATA", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_spaces_data_models_the_page_and_the_types_are_among_it(names: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert "search_spaces/moirai/quickstart.yaml" in names
    assert {"data/bundled/sample.csv", "data/bundled/passages.jsonl", "data/bundled/corpus/meter_12.csv"} <= names
    assert {f"data/pretrained/{model}-tiny/model.safetensors" for model in ("moirai", "time-moe")} <= names
    assert "tune/report/page.html.j2" in names
    assert not any(re.search(r"(^|/)(tests?|ray_results|docs|\.venv)/", name) for name in names)


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES
    assert sum(entry.file_size for entry in ZipFile(wheel).infolist()) < MOST_UNPACKED_BYTES


def test_the_version_is_written_once_and_cited(wheel: Path, metadata: Any) -> None:
    version = project()["project"]["version"]
    assert metadata["Version"] == version
    assert wheel.name == f"foretune-{version}-py3-none-any.whl"
    cited = re.search(r"^version: (\S+)$", (REPOSITORY / "CITATION.cff").read_text("utf-8"), flags=re.MULTILINE)
    assert cited is not None
    assert cited[1] == version
    number = re.escape(version)
    sources = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    assert [path for path in sources if re.search(rf"['\"]{number}['\"]", path.read_text("utf-8"))] == []


# --- what it asks for


def test_every_library_that_is_imported_is_asked_for(metadata: Any) -> None:
    """In the project's own environment the libraries of the tests are there too, and hide that one is missing."""
    asked = {
        _normal(re.split(r"[^\w.-]", line)[0]) for line in metadata.get_all("Requires-Dist") if "extra" not in line
    }
    found = packages_distributions()
    modules = {name for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py") for name in _imports(path)}
    needed = modules - {*PACKAGES, *OPTIONAL, *sys.stdlib_module_names}
    assert len(needed) > 15
    missing = {n for n in needed if not {_normal(d) for d in found[BROUGHT.get(n, n)]} & asked}
    assert missing == set()


def test_no_requirement_is_of_the_project_folder_alone(metadata: Any) -> None:
    """What [tool.uv] overrides in the project's folder holds for no user of the wheel."""
    overridden = {_required(line): line for line in project()["tool"]["uv"]["override-dependencies"]}
    asked = {_required(line): line.split(";")[0].strip() for line in metadata.get_all("Requires-Dist")}
    assert "uni2ts" not in asked
    both = overridden.keys() & asked.keys()
    assert both == {"torch", "numpy", "scipy", "gluonts"}
    assert {name: overridden[name] for name in both} == {name: asked[name] for name in both}


def _required(line: str) -> str:
    """The package that a requirement names."""
    return _normal(re.split(r"[^\w.-]", line)[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.partition(".")[0]


# --- installed


@pytest.mark.slow
@pytest.mark.parametrize("extras", ["", "[4bit,dashboard,files,time-llm]"])
def test_the_wheel_can_be_installed_beside_the_newest_versions(wheel: Path, tmp_path: Path, extras: str) -> None:
    (tmp_path / "wanted.txt").write_text(f"foretune{extras} @ {wheel.as_uri()}\n")
    found = run(str(UV), "pip", "compile", "--quiet", "--python-version", "3.12", "wanted.txt", cwd=tmp_path)
    assert re.search(r"^torch==", found, flags=re.MULTILINE)
    assert "uni2ts" not in found


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the paths of an environment's programs are those of Linux")
def test_the_installed_wheel_searches_in_a_folder_that_has_a_data_of_its_own(wheel: Path, tmp_path: Path) -> None:
    tested = tmp_path / "constraints.txt"  # the versions of today: tomorrow's are not this test's subject
    tested.write_text("\n".join(project()["tool"]["uv"]["constraint-dependencies"]), encoding="utf-8")
    run(str(UV), "venv", "--quiet", "env", cwd=tmp_path)
    environment = {"VIRTUAL_ENV": str(tmp_path / "env"), "UV_CONSTRAINT": str(tested)}
    run(str(UV), "pip", "install", "--quiet", wheel, cwd=tmp_path, **environment)

    own = tmp_path / "own"
    for name in ("data", "trainables", "search_spaces"):
        (own / name).mkdir(parents=True)
        (own / name / "__init__.py").write_text(STRANGER)
    programs = tmp_path / "env" / "bin"
    assert "t0001" in run(programs / "foretune", "sweep", *SMALL, cwd=own)
    assert (own / "ray_results" / "n" / "tensorboard" / "zero-shot").is_dir()
    assert "seasonal-naive" in run(programs / "foretune", "evaluate", "ray_results/n/best", cwd=own)
    assert "quickstart" in run(programs / "python", "-m", "tune", "spaces", cwd=own)
    version = project()["project"]["version"]
    assert run(programs / "foretune", "--version", cwd=own) == f"foretune {version}\n"
    doctor = run(programs / "foretune", "doctor", "--json", "--quick", "--offline", cwd=own, statuses=(0, 1))
    assert "pip install 'foretune[time-llm]'" in doctor
    shutil.rmtree(tmp_path / "env")  # gigabytes, which pytest would keep


@pytest.mark.slow
def test_uv_runs_the_wheel_without_installing_it(wheel: Path, tmp_path: Path) -> None:
    """`uvx --from WHEEL foretune sweep`, in an empty folder."""
    tested = tmp_path / "constraints.txt"
    tested.write_text("\n".join(project()["tool"]["uv"]["constraint-dependencies"]), encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    command = ("tool", "run", "--isolated", "--constraints", tested, "--from", wheel, "foretune", "sweep", *SMALL)
    assert "t0001" in run(str(UV), *command, cwd=empty)
    assert (empty / "ray_results" / "n" / "best" / "model.safetensors").is_file()
