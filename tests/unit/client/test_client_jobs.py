"""Policies and runs through the client."""

from __future__ import annotations

import pytest

from memsvc_client import InvalidArgument
from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import ID, RUN_ID, Answer, Recorder

RUN = {"id": RUN_ID, "namespace": "user/ada", "kind": "fade", "state": "running"}


def test_a_run_is_waited_for(connect: Connect, plausible_service: Recorder) -> None:
    done = connect(plausible_service.url).jobs.run("fade", dry_run=True)
    assert (done.state, done.counts, done.is_over) == ("succeeded", {"fade": 2}, True)
    asked = plausible_service.seen[-2]
    assert (asked.path, asked.body) == ("/v1/job-runs", {"namespace": "user/ada", "kind": "fade", "dry_run": True})
    assert plausible_service.last.path == f"/v1/job-runs/{RUN_ID}"


def test_a_run_that_takes_longer_is_given_as_it_is(connect: Connect, service: Recorder) -> None:
    service.will(Answer(202, RUN))
    assert connect(service.url).jobs.run("fade", wait_s=0.0).is_over is False


def test_a_policy_is_set_whole(connect: Connect, plausible_service: Recorder) -> None:
    jobs = connect(plausible_service.url).jobs
    assert jobs.set_policy({"below": {"warm": 0.6}}, schedules={"fade": "0 3 * * *"}).policy.below["warm"] == 0.6
    assert plausible_service.last.body == {
        "namespace": "user/ada",
        "policy": {"below": {"warm": 0.6}},
        "schedules": {"fade": "0 3 * * *"},
    }
    jobs.set_policy(schedules={})
    assert plausible_service.last.body == {"namespace": "user/ada", "schedules": {}}
    assert jobs.policy().namespace == "user/ada"


def test_runs_and_effects_are_listed_undone_and_cancelled(connect: Connect, plausible_service: Recorder) -> None:
    jobs = connect(plausible_service.url).jobs
    assert [run.id for run in jobs.list()] == [RUN_ID]
    assert [effect.memory_id for effect in jobs.effects(RUN_ID)] == [ID]
    assert jobs.undo(RUN_ID).undoes == RUN_ID
    assert jobs.cancel(RUN_ID).is_over
    with pytest.raises(InvalidArgument):
        jobs.get("")
