"""The YAML text of a space, read strictly: repeated keys and syntax errors are reported with their line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from data.files import read_small
from search_spaces.domain import parse_scalar
from search_spaces.mistakes import Mistakes

MOST_BYTES = 128 << 10  # of a file: a second's reading; the longest space that comes with foretune has three thousand
MOST_VALUES = 100_000  # of a space with its aliases written out
_TAG = "tag:yaml.org,2002:"
_REMEDY = "correct it there (indent with spaces, close quotes and brackets, a space after each colon)"


def read_document(path: Path, mistakes: Mistakes) -> dict[object, object]:
    """Read a YAML file into one mapping.

    Repeated keys are added to mistakes and reading continues; a file that cannot be read raises SpaceError.
    """
    try:
        document = _load(_text(path), mistakes)
    except UnicodeDecodeError as error:
        mistakes.add("", f"must be UTF-8 text, got byte {error.object[error.start]:#04x}; save it as UTF-8")
    except OSError as error:
        mistakes.add("", f"cannot be read: {error.strerror or error}; check the path {path}")
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        mistakes.add(place, f"not YAML: {error.problem or error.context}; {_REMEDY}")
    except RecursionError:
        mistakes.add("", "must not be nested so deeply; a space has five levels at most")
    except yaml.YAMLError as error:
        mistakes.add("", f"not YAML: {' '.join(str(error).split())}; {_REMEDY}")
    else:
        if isinstance(document, dict):
            return document
        got = "an empty file" if document is None else f"a {type(document).__name__}"
        mistakes.add("", f"must hold keys such as 'trainable' and 'search', got {got}; see the README's example")
    mistakes.raise_if_any()
    raise AssertionError("a document that was not read leaves a mistake")


def _text(path: Path) -> str:
    raw = read_small(path)
    if len(raw) > MOST_BYTES:
        raise yaml.YAMLError(f"a space has {MOST_BYTES:,} bytes at most, and this file has {len(raw):,}")
    return raw.decode("utf-8-sig")


def _load(text: str, mistakes: Mistakes) -> object:
    loader = _SpaceLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _reject_bombs(node, {})
        for key, first_line in _repeated_keys(node, set()):
            message = f"key {key.value!r} is given twice (first on line {first_line}); keep one"
            mistakes.add(_place(key.start_mark), message)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _reject_bombs(node: yaml.Node, values: dict[int, int | None]) -> int:
    """Return how many values a node holds when its aliases are written out; MarkedYAMLError for far too many.

    values: those of the nodes that are counted, None while one is being counted: an alias of it has no end.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in values:
        values[id(node)] = None
        children = [child for pair in node.value for child in (pair if isinstance(pair, tuple) else (pair,))]
        values[id(node)] = 1 + sum(_reject_bombs(child, values) for child in children)
    count = values[id(node)]
    if count is None or count > MOST_VALUES:
        what = "without end" if count is None else f"of {count:,} values"
        raise yaml.MarkedYAMLError(problem=f"aliases (*name) make it {what}", problem_mark=node.start_mark)
    return count


def _repeated_keys(node: yaml.Node, seen: set[int]) -> Iterator[tuple[yaml.ScalarNode, int]]:
    """Yield each repeated key with the line of its first occurrence; merged keys ('<<') may be overwritten."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _repeated_keys(child, seen)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in lines:
                yield key, lines[key.value]
            lines.setdefault(key.value, key.start_mark.line + 1)
        yield from _repeated_keys(value, seen)


class _SpaceLoader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2: 1e-5 is a number, 'on' is text, a date is text."""


def _construct_text(loader: _SpaceLoader, node: yaml.ScalarNode) -> object:
    """Return quoted text as text; only a plain scalar may be a number."""
    text = str(loader.construct_scalar(node))
    return text if node.style in ("'", '"', "|", ">") else parse_scalar(text) if text else None


_SpaceLoader.yaml_implicit_resolvers = {
    "<": [pair for pair in yaml.SafeLoader.yaml_implicit_resolvers["<"] if pair[0] == f"{_TAG}merge"]
}
_SpaceLoader.yaml_constructors = {
    f"{_TAG}str": _construct_text,
    f"{_TAG}seq": yaml.SafeLoader.construct_yaml_seq,
    f"{_TAG}map": yaml.SafeLoader.construct_yaml_map,
    None: yaml.SafeLoader.construct_undefined,
}
