"""Embedding models of a namespace through the client."""

from __future__ import annotations

import pytest

from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import Recorder


def test_a_namespace_is_moved_to_another_model(connect: Connect, plausible_service: Recorder) -> None:
    embedding = connect(plausible_service.url).embedding
    begun = embedding.start(model="new", switch_when_complete=False)
    assert plausible_service.last.body == {
        "namespace": "user/ada", "action": "start", "model": "new", "switch_when_complete": False,
    }  # fmt: skip
    assert (begun.active.model, begun.beside.state, begun.beside.embedded) == ("old", "growing", 3)
    assert embedding.get().models == ("old", "new")


@pytest.mark.parametrize("action", ["switch", "back", "drop"])
def test_the_other_actions_say_nothing_else(connect: Connect, plausible_service: Recorder, action: str) -> None:
    getattr(connect(plausible_service.url).embedding, action)(namespace="user/bo")
    assert plausible_service.last.body == {"namespace": "user/bo", "action": action}
