"""Files with the predictions of a cross-validation, and digests of the code that made them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from spinealign.errors import CohortError
from spinealign.serialization import rebuild, to_plain
from spinealign.writing import new_file

_Kind = TypeVar("_Kind")


def save_predictions(predictions: Any, path: Path) -> None:
    """Write a dataclass as JSON, with one line for each item of its lists."""
    lines = []
    for name, value in to_plain(predictions).items():
        text = json.dumps(value)
        if isinstance(value, list | tuple) and value:
            text = "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in value) + "\n]"
        lines.append(f'"{name}": {text}')
    with new_file(path) as file:
        file.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def load_predictions(kind: type[_Kind], path: Path) -> _Kind:
    """Read a dataclass.

    Raises:
        CohortError: If the file is damaged.
    """
    try:
        predictions: _Kind = rebuild(kind, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CohortError(f"{path} does not hold the predictions of a cross-validation: {error}.") from error
    return predictions


def digest_of_code(modules: Iterable[str]) -> str:
    """Return a digest of modules of the package, in hexadecimal; their paths are relative to its folder."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for name in modules:
        digest.update((package / name).read_bytes())
    return digest.hexdigest()
