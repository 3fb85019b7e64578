"""Nobody reports on the data of a fit."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from benchmarks.quality import fitted, report, run
from benchmarks.quality.fitted import Fitted, SameDataError

FITTED = Fitted("w.json", ("a", "b"), {"x": 1}, {"a": {"x": 2}})


def test_what_was_written_says_what_it_was_fitted_on(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    fitted.write(path, {"x": 1}, fitted_on=["b", "a", "a"], command="fit", without={"a": {"x": 2}}, seed=3)
    assert fitted.read(path) == FITTED


def test_a_fit_on_nothing_and_a_set_left_out_that_was_never_in_are_no_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="what they were fitted on"):
        fitted.write(tmp_path / "w.json", {}, fitted_on=[], command="fit")
    with pytest.raises(ValueError, match="never part of the fit: c"):
        fitted.write(tmp_path / "w.json", {}, fitted_on=["a"], command="fit", without={"c": {}})
    assert not list(tmp_path.iterdir())


def test_numbers_that_do_not_say_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_bytes(b'{"parameters": {}}')
    with pytest.raises(ValueError, match="does not say"):
        fitted.read(tmp_path / "w.json")


def test_each_set_gets_the_numbers_that_never_saw_it() -> None:
    assert FITTED.for_reporting("c") == {"x": 1}
    assert FITTED.for_reporting("a") == {"x": 2}
    assert FITTED.left_out("a").fitted_on == ("b",)
    assert FITTED.left_out("c") is FITTED
    with pytest.raises(SameDataError, match="fitted on b"):
        FITTED.for_reporting("b")


def test_a_set_of_the_fit_is_refused_and_named() -> None:
    fitted.refuse([FITTED], ["c", "d"])
    with pytest.raises(SameDataError, match=r"w\.json was fitted on a, b"):
        fitted.refuse([FITTED], ["c", "b", "a"])


def test_shipped_files_are_found_by_their_mark(tmp_path: Path) -> None:
    for name in ("retrieval/weights", "memsvc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "retrieval/weights/w.json").write_bytes(orjson.dumps({"fitted_on": ["a"], "parameters": {}}))
    (tmp_path / "memsvc/other.json").write_bytes(b"[1]")
    assert [one.name for one in fitted.shipped(tmp_path)] == ["w.json"]


def test_everything_shipped_says_what_it_was_fitted_on() -> None:
    weights = [path.name for path in (fitted.ROOT / "retrieval" / "weights").glob("*.json")]
    assert sorted(one.name for one in fitted.shipped() if one.name in weights) == sorted(weights)
    assert set(weights) == set(fitted.SETTINGS)


# --- the commands --------------------------------------------------------------------------------------------------


def results(folder: Path, fitted_on: list[str]) -> None:
    one = dict.fromkeys(("ndcg@10", "recall@5", "recall@10", "recall@20", "mrr", "hit_all@10", "p50_ms", "p95_ms"), 1.0)
    files = [{"name": "w.json", "fitted_on": fitted_on}]
    sets = {"a": {**one, "questions": 3, "fitted": files, "by_type": {"t": {**one, "questions": 3}}}}
    saved = {
        "command": "run",
        "date": "2026-01-01T00:00:00+00:00",
        "revision": "abc",
        "machine": {"cores": 2, "cpu": "a cpu", "load_1m": 0.1},
        "figures": {"limit": None, "profiles": {"fast": {"sets": sets}}},
    }
    (folder / "quality.json").write_bytes(orjson.dumps(saved))


def test_the_report_shows_sets_that_the_fit_never_saw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results(tmp_path, ["b"])
    report.main(["--results", str(tmp_path)])
    assert "| a | fast | 1.0 |" in capsys.readouterr().out


def test_the_report_refuses_figures_on_the_data_of_the_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results(tmp_path, ["a", "b"])
    with pytest.raises(SystemExit) as ended:
        report.main(["--results", str(tmp_path)])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "w.json was fitted on a" in said.err


def test_the_report_refuses_parameters_that_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results(tmp_path, [])
    path = tmp_path / "given.params"
    fitted.write(path, {}, fitted_on=["a"], command="fit")
    with pytest.raises(SystemExit) as ended:
        report.main(["--results", str(tmp_path), "--parameters", str(path)])
    assert ended.value.code == 2
    assert "given.params was fitted on a" in capsys.readouterr().err


def test_a_run_on_the_data_of_the_fit_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "queries.jsonl.gz").touch()
    fitted.write(tmp_path / "w.json", {}, fitted_on=["a"], command="fit")
    with pytest.raises(SystemExit) as ended:
        run.main(["--data", str(tmp_path / "data"), "--fitted", f"fusion_weights={tmp_path / 'w.json'}"])
    assert ended.value.code == 2
    assert "w.json was fitted on a" in capsys.readouterr().err
