"""What importing search_spaces may load: a fresh interpreter, and a look at its modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import search_spaces

MODULES = sorted(path.stem for path in Path(search_spaces.__path__[0]).glob("*.py") if path.stem != "__init__")


def test_reading_every_space_with_every_module_imported_needs_no_large_library() -> None:
    imports = "".join(f"import search_spaces.{name}\n" for name in MODULES)
    code = (
        f"import sys\n{imports}search_spaces.library.list_spaces()\n"
        "sys.exit(' '.join({'torch', 'ray', 'optuna', 'numpy', 'pandas'} & set(sys.modules)) or 0)"
    )
    root = Path(search_spaces.__path__[0]).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
