"""A newcomer's way: every command and program of the README and the tutorial, run as it stands, in order.

What differs from a newcomer's terminal, all of it: the port is a free one, in place of 8000, in what is run and in what
is shown; `make serve` does not install (`-o`: the environment of these tests is there already), and its data goes to a
folder of the test. `.venv` and the current folder are as on the page. Blocks of other languages are not run.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVING = re.compile(r"serving on http://127\.0\.0\.1:(\d+)")
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
START = "make serve\n"


@dataclass
class Step:
    """A block that is run, and what the page says it prints."""

    language: str
    text: str
    shown: str | None = None


def steps_of(page: str) -> list[Step]:
    """Blocks of shell and Python; a block of text or JSON right behind one, or behind a sentence, is its output."""
    steps: list[Step] = []
    for language, text in BLOCK.findall(page):
        if language in ("sh", "python"):
            steps.append(Step(language, text))
        elif language == "text":
            steps[-1].shown = text
        elif language == "json":
            json.loads(text)
    return steps


@dataclass
class Terminal:
    """Where the blocks of one page run: variables that one exports are there for the next."""

    folder: Path
    port: int
    variables: Path = field(init=False)

    def __post_init__(self) -> None:
        self.variables = self.folder / "variables"
        self.variables.touch()
        (self.folder / ".venv").symlink_to(sys.prefix)

    def run(self, step: Step) -> str:
        """What it prints; a command that fails ends the block and the test."""
        text = step.text.replace(":8000", f":{self.port}")
        if step.language == "python":
            (self.folder / "program.py").write_text(text, encoding="utf-8")
            text = ".venv/bin/python program.py\n"
        script = f"source variables\n{text}export -p > variables\n"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=environment() | {"MEMSVC_URL": f"http://127.0.0.1:{self.port}", "COLUMNS": "100", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{step.text}\n{done.stdout}"
        return done.stdout.replace(f":{self.port}", ":8000")


def environment() -> dict[str, str]:
    """That of this process with the code of this tree and no setting of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}
    return kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'clients' / 'src'}", "TERM": "dumb"}


@contextmanager
def started(folder: Path) -> Iterator[tuple[int, Path]]:
    """`make serve`: its port and its output. All that it started is ended afterwards."""
    output = folder / "serve.log"
    settings = {"MEMSVC_PORT": "0", "MEMSVC_DATA_DIR": str(folder / "data")}
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.serve", "serve"],
            cwd=ROOT,
            env=environment() | settings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield _port(process, output), output
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _port(process: subprocess.Popen[bytes], output: Path) -> int:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if found := SERVING.search(output.read_text(encoding="utf-8")):
            return int(found[1])
        time.sleep(0.05)
    pytest.fail(f"make serve did not serve:\n{output.read_text(encoding='utf-8')}")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_a_page_runs_word_for_word(page: str, tmp_path: Path) -> None:
    steps = steps_of((ROOT / page).read_text(encoding="utf-8"))
    first, *others = steps
    assert first.text == START
    with started(tmp_path) as (port, output):
        said = output.read_text(encoding="utf-8").replace(f":{port}", ":8000")
        show(first, said)
        terminal = Terminal(tmp_path, port)
        for step in others:
            show(step, terminal.run(step))


def show(step: Step, printed: str) -> None:
    """Hold what was printed against the page."""
    if step.shown is not None:
        is_same = doctest.OutputChecker().check_output(step.shown, printed, SAME)
        assert is_same, f"{step.text}\nthe page shows:\n{step.shown}\nit printed:\n{printed}"


def test_the_pages_have_what_a_newcomer_does() -> None:
    for page in ("README.md", "docs/tutorial.md"):
        steps = steps_of((ROOT / page).read_text(encoding="utf-8"))
        assert {step.language for step in steps} == {"sh", "python"}
        assert sum(step.shown is not None for step in steps) >= 1
