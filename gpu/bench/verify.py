"""No figures of an operation whose tests fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).parents[2] / "tests"


def passes(files: Sequence[str], folder: Path = TESTS) -> bool:
    """Whether the tests of an operation pass on this device, in a process of their own; says what failed if not.

    Args:
        files: test files in the folder, at least one.
        folder: where tests are; none are there where only the wheel is installed, and then nothing passes.
    """
    paths = [folder / file for file in files]
    if not paths or any(not path.is_file() for path in paths):
        print(f"there are no tests to run: {', '.join(files)}", flush=True)
        return False
    # Other versions of torch and numpy than the suite's own warn of other things.
    options = ("-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default")
    command = [sys.executable, "-m", "pytest", *options, *map(str, paths)]
    done = subprocess.run(  # noqa: S603 - our own interpreter and files
        command,
        cwd=folder.parent,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # these tests need none, and loading takes seconds
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0
