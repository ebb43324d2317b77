"""The specification of data/passages/sites.py."""

from __future__ import annotations

import json

import pytest

from data.errors import DataError
from data.passages import read_site_map
from tests.data.passages.records import FIVE, count


def test_several_names_may_be_one_site_and_a_silent_site_is_zeros(write):
    sites = {"东站": "CP010", "西站": "CP010", "南站": "CP002"}
    counts = count(write(FIVE), sites=sites)
    assert counts.ids == ("CP002#fx=1", "CP002#fx=2", "CP010#fx=1", "CP010#fx=2")
    assert counts.values.sum(axis=1).tolist() == [0, 0, 3, 2]
    assert counts.notes == ("2 series without a passage, all 0: 'CP002#fx=1', 'CP002#fx=2'",)


def test_sites_are_sorted_by_the_numbers_in_their_names(write):
    rows = "".join(f"{site},1,2023-12-01 00:00:00,x\n" for site in ("K10", "K9", "A", "K9b", "3", "20"))
    counts = count(write(rows), directions=(1,))
    assert counts.ids == tuple(f"{site}#fx=1" for site in ("A", "K9", "K9b", "K10", "3", "20"))


def test_site_maps_are_csv_or_json_either_way_round(tmp_path):
    expected = {"东站": "CP001", "东 站": "CP001", "西站": "CP002"}
    texts = {
        "a.csv": "name,id\n东站,CP001\n东 站 ,CP001\n\n西站, CP002\n",
        "b.csv": "id,remark,name\nCP001,,东站\nCP001,,东 站\nCP002,x,西站\n",
        "c.json": json.dumps(expected),
        "d.json": json.dumps({"CP001": ["东站", "东 站"], "CP002": ["西站"]}, ensure_ascii=False),
    }
    for name, text in texts.items():
        for encoding in ("utf-8-sig", "gbk"):
            (tmp_path / name).write_text(text, encoding=encoding)
            assert read_site_map(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "a.csv",
            "name,id\nA,1\nA,2\n,3\nB,\n",
            ["line 3: each name must have one id, got 'A' as 1 and 2", "line 4", "line 5"],
        ),
        ("a.csv", "name,ids\nA,1\n", ["needs the columns name and id, got name, ids", "did you mean 'ids'"]),
        ("a.csv", "A,1\nB,2\n", ["write 'name,id' as its first line"]),
        ("a.csv", "", ["needs the columns name and id"]),
        ("a.csv", "name,id\n", ["at least one name"]),
        ("a.json", "{", ["line 1: not JSON"]),
        ("a.json", "[1]", ["must be an object"]),
        ("a.json", '{"A": 3}', ["'A' must have an id, or be an id with a list of names, got 3"]),
        ("a.txt", "", ["must be a .csv or .json file, got '.txt'"]),
    ],
)
def test_a_site_map_with_mistakes_is_refused_with_all_of_them(tmp_path, name, text, told):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_site_map(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    for part in told:
        assert part in str(error.value)


def test_a_missing_site_map_is_rejected(tmp_path):
    with pytest.raises(DataError, match="--sites must name a site map"):
        read_site_map(tmp_path / "no.csv")
