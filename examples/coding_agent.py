"""A coding agent that learns how the tests of a repository are run: `python -m examples.coding_agent`.

Every attempt becomes a procedural memory with its outcome. The next time the agent begins with what worked; when that
stops working, the memory says so, and what works now takes its place. The attempts are real commands in a small
repository that this program makes; where an LLM would propose commands, `proposals` looks at the folders.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memsvc_client import MemoryClient

ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
TASK = "How are the tests of the repository sums run?"


def run_tests(memory: MemoryClient, repository: Path) -> list[str]:
    """Run the tests, by what is remembered if that works; returns the ids of the attempts, the last one worked."""
    tried: dict[str, str] = {}
    for command in (*remembered(memory), *proposals(repository)):
        if command in tried:
            continue
        worked, errors = attempt(command, repository)
        tried[command] = learn(memory, command, worked, errors)
        print(f"  {'ok    ' if worked else 'failed'} {command}")
        if worked:
            return list(tried.values())
    raise RuntimeError("nothing that was tried runs the tests")


def attempt(command: str, repository: Path) -> tuple[bool, str]:
    """Whether a command succeeds, and what it says on stderr."""
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=repository, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stderr


def remembered(memory: MemoryClient) -> Iterator[str]:
    """Commands that worked, the likeliest first."""
    for hit in memory.recall(TASK, kinds=["procedural"], filter={"outcome": "success"}, top_k=3).hits:
        yield str(hit.memory.metadata["command"])


def learn(memory: MemoryClient, command: str, worked: bool, errors: str) -> str:
    """Remember how a command ended; returns the memory's id.

    Its external id is the command, so another end at another time is a new version of the same memory.
    """
    why = errors.strip().splitlines()[-1][:200] if errors.strip() else ""
    written = memory.remember(
        f"To run the tests of the repository sums: `{command}`." + ("" if worked else f" It fails: {why}"),
        kind="procedural",
        outcome="success" if worked else "failure",
        external_id=f"sums/run tests/{command}",
        agent_id="coding-agent",
        metadata={"command": command},
    )
    return written.memory.id


def proposals(repository: Path) -> Iterator[str]:
    """What somebody who does not know the repository would try."""
    discover = "python -m unittest discover tests"
    yield discover
    for folder in sorted(path.name for path in repository.iterdir() if path.is_dir() and path.name != "tests"):
        yield f"PYTHONPATH={folder} {discover}"


def make_repository(root: Path) -> None:
    """A module in `src`, and a test that imports it."""
    for folder in ("docs", "src", "tests"):
        (root / folder).mkdir()
    (root / "src" / "sums.py").write_text("def add(a, b):\n    return a + b\n", encoding="utf-8")
    (root / "tests" / "test_sums.py").write_text(
        "import unittest\nfrom sums import add\n\n\n"
        "class TestAdd(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n",
        encoding="utf-8",
    )


def main() -> None:
    """Three days: it finds out, it knows, and it learns anew after the repository has changed."""
    with MemoryClient(namespace="examples/coding-agent") as memory, tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        make_repository(repository)
        print("first day:")
        learned = run_tests(memory, repository)[-1]
        print("next day:")
        run_tests(memory, repository)
        (repository / "src").rename(repository / "lib")
        print("after src/ became lib/:")
        run_tests(memory, repository)
        print("the day after:")
        run_tests(memory, repository)
        print("what became of the first day's memory:")
        for version in memory.history(learned):
            print(f"  version {version.version}: {version.content}")


if __name__ == "__main__":
    main()
