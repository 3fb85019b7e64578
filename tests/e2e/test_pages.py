"""A newcomer's way: every command and program of the README, then of the tutorial, run as it stands, in order.

What differs from a newcomer's terminal, all of it: the port is a free one, in place of 8000, in what is run and in what
is shown; `make serve` is run once for both pages and does not install (`-o`: the environment of these tests is there
already), and its data goes to a folder of the test. Blocks of other languages are not run.
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
PAGES = ("README.md", "docs/tutorial.md")


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
        self.folder.mkdir()
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
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{step.text}\n{done.stdout}"
        return done.stdout.replace(f":{self.port}", ":8000")


def environment() -> dict[str, str]:
    """That of this process with the code of this tree and no setting of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMSVC_")}
    return kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'clients' / 'src'}", "TERM": "dumb"}


@contextmanager
def started(folder: Path) -> Iterator[tuple[int, str]]:
    """`make serve`: its port, and what it says until it serves. All that it started is ended afterwards."""
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
        yield _serving(process, output)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _serving(process: subprocess.Popen[bytes], output: Path) -> tuple[int, str]:
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        said = output.read_text(encoding="utf-8")
        if (found := SERVING.search(said)) and said.endswith("\n"):
            return int(found[1]), said.replace(f":{found[1]}", ":8000")
        time.sleep(0.05)
    pytest.fail(f"make serve did not serve:\n{output.read_text(encoding='utf-8')}")


@pytest.mark.slow
def test_the_pages_run_word_for_word(tmp_path: Path) -> None:
    with started(tmp_path) as (port, said):
        for page in PAGES:
            first, *others = steps_of((ROOT / page).read_text(encoding="utf-8"))
            assert first.text == START
            compare(first, said)
            terminal = Terminal(tmp_path / Path(page).stem, port)
            for step in others:
                compare(step, terminal.run(step))


def compare(step: Step, printed: str) -> None:
    """Hold what was printed against the page."""
    if step.shown is not None:
        is_same = doctest.OutputChecker().check_output(step.shown, printed, SAME)
        assert is_same, f"{step.text}\nthe page shows:\n{step.shown}\nit printed:\n{printed}"


def test_the_pages_have_what_a_newcomer_does() -> None:
    readme, tutorial = ((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    for page in (readme, tutorial):
        assert {step.language for step in steps_of(page)} == {"sh", "python"}
    assert all(word in readme for word in ("make serve", "curl ", "MemoryClient", ".venv/bin/memsvc", '"mcp"'))
    assert sum(step.shown is None for step in steps_of(tutorial)) <= 2  # variables, and a write that says nothing new
