"""Fitted numbers, a JSON file for each learned part: `parameters`, and in `fitted_on` the sets of the fit."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any


def read_weights(name: str, path: Path | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parameters of a learned part and the names of the sets that they were fitted on.

    Args:
        name: of the part, if no file is given: `fusion` or `rerank`.
        path: of a file of the same form to take in the place of the one that comes with the package.

    Raises:
        ValueError: the file is no JSON object with `parameters`.
        OSError: it cannot be read.
    """
    file = resources.files(__name__).joinpath(f"{name}.json") if path is None else path
    body = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(body, dict) or not isinstance(body.get("parameters"), dict):
        raise ValueError(f"{name}: a file of weights holds an object with `parameters`")  # noqa: TRY004
    return body["parameters"], tuple(body.get("fitted_on", ()))
