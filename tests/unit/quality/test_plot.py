"""The picture is small, and the same for the same figures; figures on the data of a fit are not drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import _results
from benchmarks.quality import plot


def saved(fitted_on: tuple[str, ...] = ()) -> dict[str, Any]:
    def one(ndcg: float, ms: float) -> dict[str, Any]:
        files = [{"name": "w.json", "fitted_on": list(fitted_on)}]
        return {"ndcg@10": ndcg, "recall@10": ndcg + 12, "p50_ms": ms, "fitted": files}

    profiles = {
        name: {"sets": {"locomo_dev": one(ndcg, ms)}, "mean_of": 7, "mean_ndcg@10": ndcg}
        for name, ndcg, ms in (("fast", 64.0, 12.0), ("balanced", 68.0, 90.0), ("thorough", 70.0, 200.0))
    }
    machine = {"cores": 2, "cpu": "a cpu", "load_1m": 0.1}
    return {"machine": machine, "date": "2026-01-01T00:00:00+00:00", "figures": {"profiles": profiles}}


def test_the_same_figures_give_the_same_small_picture(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot.draw(saved(), tmp_path / name)
    one = (tmp_path / "one.png").read_bytes()
    assert one == (tmp_path / "two.png").read_bytes()
    assert one.startswith(b"\x89PNG")
    assert len(one) < 150_000


def test_figures_on_the_data_of_a_fit_are_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_results, "RESULTS", tmp_path)
    (tmp_path / "quality.json").write_bytes(orjson.dumps(saved(("locomo_dev",))))
    with pytest.raises(SystemExit) as ended:
        plot.main(["--out", str(tmp_path / "out.png")])
    assert ended.value.code == 2
    assert "fitted on locomo_dev" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
