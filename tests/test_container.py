"""The container's Dockerfile, linted and compared with the package; building it needs Docker and the network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

DOCKERFILE = REPOSITORY / ".docker" / "Dockerfile"
LINTER = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of a name, continued lines joined."""
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text(encoding="utf-8"))
    return re.findall(rf"^{name}\s+(.*)$", text, flags=re.MULTILINE)


@pytest.mark.skipif(LINTER is None, reason="needs hadolint")
def test_the_linter_finds_nothing() -> None:
    done = subprocess.run([str(LINTER), DOCKERFILE], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_that_the_package_is_made_of_is_copied_and_not_ignored() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["uv"]["build-backend"]["module-name"]
    needed = {*packages, "pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    copied = {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert copied == needed
    kept = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"}
    assert kept == needed


def test_it_runs_as_an_ordinary_user_who_owns_what_is_written() -> None:
    (user,) = instructions("USER")
    assert user.split(":")[0] not in ("0", "root")
    (volumes,) = instructions("VOLUME")
    assert set(re.findall(r'"([^"]+)"', volumes)) == {"/work/ray_results", "/series", "/cache"}
    assert instructions("WORKDIR")[-1] == "/work"  # sweeps lie in ray_results below it
    assert instructions("ENTRYPOINT") == ['["foretune"]']


def test_its_python_is_one_that_the_package_supports() -> None:
    bases = [re.match(r"python:3\.(\d+)-slim", base) for base in instructions("FROM")]
    assert all(base is not None and 11 <= int(base[1]) < 14 for base in bases)
    assert len({base[0] for base in bases if base is not None}) == 1  # the environment is copied between them
