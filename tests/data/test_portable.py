"""Paths in files that are given to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.portable import file_name, portable_folder, portable_path

HOME, BEST = "/home/ada", Path("/home/ada/work/ray_results/night/best")


@pytest.fixture(autouse=True)
def ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", HOME)
    monkeypatch.setenv("LOGNAME", "ada")


@pytest.mark.parametrize(
    ("text", "folder", "path", "found_again"),
    [
        ("/home/ada/work/traffic.csv", BEST, "../../../traffic.csv", "../../../traffic.csv"),
        ("/data/traffic.csv", BEST, "../../../../../../data/traffic.csv", "../../../../../../data/traffic.csv"),
        ("/home/ada/traffic.csv", Path("/data/best"), "traffic.csv", "~/traffic.csv"),
        ("/mnt/c/Users/ada/t.csv", BEST, "t.csv", "../../../../../../mnt/c/Users/ada/t.csv"),
        (str(BEST / "llm"), BEST, "./llm", "./llm"),
        ("Salesforce/moirai-1.1-R-small", BEST, "Salesforce/moirai-1.1-R-small", "Salesforce/moirai-1.1-R-small"),
        ("moirai-tiny", BEST, "moirai-tiny", "moirai-tiny"),
        ("traffic.csv", BEST, "traffic.csv", "traffic.csv"),
    ],
)
def test_a_path_is_seen_from_its_folder_and_names_no_user(text: str, folder: Path, path: str, found_again: str) -> None:
    assert portable_path(text, folder) == path
    assert portable_folder(text, folder) == found_again


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/home/ada/my_model.py:Toy", "my_model.py:Toy"),
        (r"C:\Users\ada\my_model.py", "my_model.py"),
        ("moirai", "moirai"),
        ("org/model", "org/model"),
    ],
)
def test_the_name_of_a_file(text: str, name: str) -> None:
    assert file_name(text) == name
