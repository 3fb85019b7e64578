"""What `python -m deploy.local` says and returns; the processes themselves: tests/integration/test_up_local.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy import local
from deploy.check import CheckFailed, Say
from deploy.processes import Api, Process, ProcessEnded


class Running(Api):
    """An API process that is there without one."""

    def __init__(self, url: str) -> None:
        self.url = url


@pytest.fixture
def stood(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No process is started; gives the folders that there were."""
    folders: list[Path] = []

    @contextmanager
    def running(folder: Path, ports: Sequence[int]) -> Iterator[list[Process]]:
        folders.append(folder)
        yield [Running(f"http://127.0.0.1:{9000 + number}") for number, _ in enumerate(ports)]

    monkeypatch.setattr(local, "running", running)
    monkeypatch.setattr(local.signal, "signal", lambda *_: None)
    return folders


def test_a_check_that_passes(
    stood: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(local, "check", lambda urls, say: asked.extend(urls))
    assert local.main(["--check"]) == 0
    assert asked == ["http://127.0.0.1:9000", "http://127.0.0.1:9001"]
    assert not stood[0].exists()
    assert capsys.readouterr().out == "stopped\n"


def test_a_check_that_fails(
    stood: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(urls: Sequence[str], say: Say) -> None:
        raise CheckFailed("an edit is not seen")

    monkeypatch.setattr(local, "check", fail)
    assert local.main(["--check"]) == 1
    assert capsys.readouterr().err == "an edit is not seen\n"
    assert not stood[0].exists()


@pytest.mark.parametrize("arguments", [["--api", "0"], ["--check", "--api", "1"]])
def test_too_few_processes_are_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        local.main(arguments)


def test_a_process_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = Process("doctor", ["no-such-command"], {"PYTHONPATH": ":".join(sys.path)}, tmp_path)
    with pytest.raises(ProcessEnded, match=r"(?s)doctor ended with exit code 2.*no-such-command"):
        process.wait_until(lambda: False)
    with pytest.raises(ProcessEnded, match="exit code 2"):
        process.wait_for_exit()
    process.stop()


@pytest.mark.parametrize(("asked", "taken"), [("8000", [8000, 8001, 8002]), ("0", [0, 0, 0])])
def test_ports_follow_the_first_one(asked: str, taken: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a first one each takes a free one: none of them is port 1, which two runs could not share."""
    given: list[Sequence[int]] = []
    monkeypatch.setattr(local, "up", lambda _, ports: given.append(list(ports)))
    monkeypatch.setattr(local.signal, "signal", lambda *_: None)
    assert local.main(["--api", "3", "--port", asked]) == 0
    assert given == [taken]
