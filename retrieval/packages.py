"""Files that come inside installed packages. Only files are read; no code of such a package is ever imported."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from retrieval.errors import EmbedderUnavailableError


def package_folder(package: str, distribution: str) -> Path:
    """The folder of an installed package.

    Args:
        package: its import name, a top-level one.
        distribution: what to install to get it.

    Raises:
        EmbedderUnavailableError: it is not installed.
    """
    spec = importlib.util.find_spec(package)  # a top-level name: finds, and runs nothing
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnavailableError(f"the model needs the package {distribution}: pip install it")
    return Path(spec.submodule_search_locations[0])


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
