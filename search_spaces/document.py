"""Owns the YAML text of a space: read strictly, with repeated keys and syntax errors at their line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from search_spaces.domain import parse_scalar
from search_spaces.mistakes import Mistakes

_TAG = "tag:yaml.org,2002:"


def read_document(path: Path, mistakes: Mistakes) -> dict[object, object]:
    """Read a YAML file into one mapping.

    Repeated keys are noted in mistakes and reading goes on; a file that cannot be read at all raises SpaceError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = _load(text, mistakes)
    except UnicodeDecodeError as error:
        mistakes.add("", f"must be UTF-8 text, got byte {error.object[error.start]:#04x}; save it as UTF-8")
    except OSError as error:
        mistakes.add("", f"cannot be read: {error.strerror or error}; check the path {path}")
    except yaml.MarkedYAMLError as error:
        mistakes.add(
            _place(error.problem_mark or error.context_mark), f"not YAML: {error.problem}; {_REMEDY}"
        )
    except yaml.YAMLError as error:
        mistakes.add("", f"not YAML: {' '.join(str(error).split())}; {_REMEDY}")
    else:
        if isinstance(document, dict):
            return document
        got = "nothing" if document is None else f"a {type(document).__name__}"
        mistakes.add(
            "", f"must hold keys such as 'trainable' and 'search', got {got}; see search_spaces/README.md"
        )
    mistakes.raise_if_any()
    raise AssertionError("an unread document leaves a mistake")


_REMEDY = "mend it there (indent with spaces, close quotes and brackets, a space after each colon)"


def _load(text: str, mistakes: Mistakes) -> object:
    loader = _SpaceLoader(text, mistakes)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


class _SpaceLoader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2 (1e-5 a number, 'on' a word) and a note on each repeated key."""

    def __init__(self, text: str, mistakes: Mistakes) -> None:
        super().__init__(text)
        self._mistakes = mistakes

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode):
            self._note_repeated_keys(node)
        return super().construct_mapping(node, deep)

    def _note_repeated_keys(self, node: yaml.MappingNode) -> None:
        """Look before merges ('<<') are spread out: a merged key may be overwritten on purpose."""
        first_lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == f"{_TAG}merge":
                continue
            if key.value in first_lines:
                earlier = first_lines[key.value] + 1
                message = f"key {key.value!r} stands twice (first on line {earlier}); keep one"
                self._mistakes.add(_place(key.start_mark), message)
            first_lines.setdefault(key.value, key.start_mark.line)

    def construct_plain(self, node: yaml.ScalarNode) -> object:
        return parse_scalar(str(self.construct_scalar(node)))


def _resolve_plain(loader: _SpaceLoader, node: yaml.ScalarNode) -> object:
    """Quoted text stays text; only a plain scalar may be a number."""
    return node.value if node.style in ("'", '"', "|", ">") else loader.construct_plain(node)


_SpaceLoader.yaml_implicit_resolvers = {
    "<": [
        (tag, pattern)
        for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers["<"]
        if tag == f"{_TAG}merge"
    ]
}
_SpaceLoader.yaml_constructors = {
    f"{_TAG}str": _resolve_plain,
    f"{_TAG}seq": yaml.SafeLoader.construct_yaml_seq,
    f"{_TAG}map": yaml.SafeLoader.construct_yaml_map,
    None: yaml.SafeLoader.construct_undefined,
}
