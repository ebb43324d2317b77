"""The built wheel in an environment and a folder of the user's own, by the line that the README gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
OVERRIDES = ROOT / "overrides.txt"
UV = os.environ.get("UV") or shutil.which("uv")
STRANGER = 'raise SystemExit("a package of the user was taken for one of ours")\n'
SMALL = ("--set", "epochs=1", "--max-windows", "20", "--max-eval-windows", "20", "--trials", "1", "--name", "n")


def uv_settings() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    return settings


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
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
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_overrides_for_elsewhere_are_those_of_the_project() -> None:
    lines = [line for line in OVERRIDES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines == uv_settings()["override-dependencies"]


def test_the_readme_names_the_line() -> None:
    assert re.search(
        r"uv pip install --override \S*overrides\.txt \S*foretune", (ROOT / "README.md").read_text("utf-8")
    )


@pytest.mark.skipif(UV is None, reason="needs uv")
@pytest.mark.skipif(os.name == "nt", reason="the paths of an environment's programs are those of Linux")
def test_the_wheel_searches_in_a_folder_that_has_a_data_of_its_own(tmp_path: Path) -> None:
    assert UV is not None
    tested = tmp_path / "constraints.txt"  # the versions of today: tomorrow's are not this test's subject
    tested.write_text("\n".join(uv_settings()["constraint-dependencies"]), encoding="utf-8")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("foretune-*.whl")
    run(UV, "venv", "--quiet", "--python", "3.11", "env", cwd=tmp_path)
    environment = {"VIRTUAL_ENV": str(tmp_path / "env"), "UV_CONSTRAINT": str(tested)}
    run(UV, "pip", "install", "--quiet", "--override", OVERRIDES, wheel, cwd=tmp_path, **environment)

    own = tmp_path / "own"
    for name in ("data", "trainables", "search_spaces"):
        (own / name).mkdir(parents=True)
        (own / name / "__init__.py").write_text(STRANGER)
    programs = tmp_path / "env" / "bin"
    assert "t0000" in run(programs / "foretune", "sweep", *SMALL, cwd=own)
    assert "seasonal-naive" in run(programs / "foretune", "evaluate", "ray_results/n/best", cwd=own)
    assert "quickstart" in run(programs / "python", "-m", "tune", "spaces", cwd=own)
    shutil.rmtree(tmp_path / "env")  # gigabytes, which pytest would keep
