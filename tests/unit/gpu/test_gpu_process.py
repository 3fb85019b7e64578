"""The process that has the device: what it answers, and what its clients do when it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
import zmq
from opentelemetry.trace import SpanKind

from gpu import tracing
from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import Kind, State
from gpu.device import host_channels
from gpu.device.bank import DeviceBank
from gpu.device.errors import DeviceLostError
from gpu.device.pool import DevicePool
from gpu.ops.channel_pass.questions import Listed, Question, pack
from gpu.process.client import GpuClient
from gpu.process.messages import Asked, MalformedMessageError, Scan, Told, Wanted, read_asked, read_told, written
from gpu.process.served import Served
from gpu.process.server import GpuServer
from tests.fixtures.bank_records import random_batch
from tests.fixtures.channel_questions import random_question
from tests.fixtures.spans import recorded

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DIM = 16
EVERYTHING = ScanFilter(states=frozenset(State))


@dataclass
class Fixed:
    """Namespaces by name; one is only here once it was asked for."""

    banks: dict[bytes, NamespaceBank]
    late: set[bytes] = field(default_factory=set)

    def held(self, name: bytes, seq: int) -> NamespaceBank | None:
        return None if name in self.late else self.banks.get(name)

    def brought_up(self, name: bytes, seq: int) -> NamespaceBank:
        self.late.discard(name)
        return self.banks[name]


def bank_of(seed: int) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(random_batch(np.random.default_rng(seed), list(range(80)), dim=DIM))
    return bank


def query(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


def encode(texts: list[str]) -> np.ndarray:
    if "unspeakable" in texts:
        raise ValueError("it cannot be embedded")
    return np.stack([query(len(text)) for text in texts])


@dataclass
class Stand:
    namespaces: Fixed
    server: GpuServer
    endpoint: str


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    namespaces = Fixed({b"a": bank_of(1), b"b": bank_of(2)})
    server = GpuServer(DeviceBank(DevicePool(DEVICE, 1 << 20)), namespaces, encode)
    endpoint = f"ipc://{tmp_path}/gpu"
    listening = threading.Event()
    thread = threading.Thread(target=server.run, args=(endpoint, listening.set))
    thread.start()
    assert listening.wait(30)
    yield Stand(namespaces, server, endpoint)
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def client(stand: Stand) -> Iterator[GpuClient]:
    client = GpuClient(stand.endpoint, timeout_s=30)
    yield client
    client.close()


def best_of(bank: NamespaceBank, vector: np.ndarray, k: int) -> list[bytes]:
    with bank.view(EVERYTHING) as view:
        return [row.tobytes() for row in view.memory_id(view.top(view.dense(vector), k)[0])]


def found(client: GpuClient, name: bytes, k: int, **given: object) -> list[bytes]:
    return [row.tobytes() for row in client.search(name, 0, EVERYTHING, k, **given).memory_ids]  # type: ignore[arg-type]


def test_it_answers_vectors_and_texts(stand: Stand, client: GpuClient) -> None:
    for name, bank in stand.namespaces.banks.items():
        assert found(client, name, 7, vector=query(3)) == best_of(bank, query(3), 7)
        assert found(client, name, 5, text="what was it?") == best_of(bank, query(len("what was it?")), 5)


def question_of(seed: int) -> Question:
    return replace(random_question(np.random.default_rng(seed), np.arange(1, 9, dtype=np.uint64)), scan=EVERYTHING)


def test_it_makes_lists_in_the_launches_of_others(stand: Stand, client: GpuClient) -> None:
    def ask(number: int) -> None:
        name = b"ab"[number % 2 : number % 2 + 1]
        if number % 3 == 0:
            assert found(client, name, 4, vector=query(number)) == best_of(
                stand.namespaces.banks[name], query(number), 4
            )
            return
        question = question_of(number)
        lists = client.lists(name, 0, question, 200)
        with stand.namespaces.banks[name].view(EVERYTHING) as view:
            true = host_channels.channels(view, question, 200)
            assert lists.keys() == true.keys()
            for which, (slots, scores) in true.items():
                assert {row.tobytes() for row in lists[which].memory_ids} == {
                    row.tobytes() for row in view.memory_id(slots)
                }
                np.testing.assert_allclose(lists[which].scores, scores, rtol=1e-5, atol=2e-6)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(ask, number) for number in range(4)]:
            done.result(120)
    assert stand.server.served.searches == 4


def test_a_question_arrives_as_it_was_sent_and_one_that_is_none_is_refused(stand: Stand, client: GpuClient) -> None:
    for seed in range(8):
        sent = question_of(seed)
        asked = read_asked(written(Asked(1, b"a", 2, 3, Scan.of(EVERYTHING), wanted=Wanted.of(sent))))
        assert asked.wanted is not None
        assert pack(asked.wanted.question(EVERYTHING)).ids == pack(sent).ids
        assert repr(pack(asked.wanted.question(EVERYTHING))) == repr(pack(sent))
    for wrong in (
        Wanted(terms=(b"1234", b"", 0.9, 0.4, 1.0)),
        Wanted(terms=(b"123", b"1234", 0.9, 0.4, 1.0)),
        Wanted(places=((b"12345678",), b"")),
        Wanted(spans=b"\0" * 24),
    ):
        told = client._answer(Asked(5, b"a", 0, 3, Scan.of(EVERYTHING), wanted=wrong))
        assert told.error
    both = client._answer(Asked(6, b"a", 0, 3, Scan.of(EVERYTHING), query(1).tobytes(), wanted=Wanted(now_us=5)))
    assert len(both.memory_ids) == 48
    assert [one.which for one in both.lists] == [int(Listed.RETENTION)]


def test_a_search_belongs_to_the_trace_of_whoever_asked(stand: Stand, client: GpuClient) -> None:
    with recorded() as spans:
        client.search(b"a", 0, EVERYTHING, 5, vector=query(1))
        assert not spans.kept
        with tracing.root("request", SpanKind.SERVER):
            client.search(b"a", 0, EVERYTHING, 5, vector=query(1))

    assert spans.below(spans.named("request")) == {"gpu.search", "gpu.launch"}
    assert spans.named("gpu.launch").attributes == {"searches": 1}


def test_it_counts_what_it_did(stand: Stand, client: GpuClient) -> None:
    for seed in range(3):
        found(client, b"a", 2, vector=query(seed))
    for name, vector in ((b"nowhere", query(1)), (b"a", query(1)[:-1])):
        with pytest.raises(DeviceLostError):
            client.search(name, 0, EVERYTHING, 3, vector=vector)
    assert stand.server.served == Served(searches=3, launches=3, refused=2)


def test_a_server_that_stopped_has_closed_what_it_opened_and_may_be_stopped_again(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def serve() -> None:
        server = GpuServer(bank, Fixed({}))
        server.stop()
        server.run(f"ipc://{tmp_path}/gpu")
        server.stop()

    bank = DeviceBank(DevicePool(DEVICE, 4096))
    serve()
    before = descriptors()
    for _ in range(3):
        serve()
    assert descriptors() <= before


def test_questions_of_several_dimensions_share_a_search(stand: Stand, client: GpuClient) -> None:
    other = NamespaceBank(PagePool(), 8)
    other.put(random_batch(np.random.default_rng(5), list(range(30)), dim=8))
    stand.namespaces.banks[b"c"] = other
    vectors = {b"a": query(1), b"b": query(2), b"c": query(3)[:8]}
    with ThreadPoolExecutor(3) as pool:
        told = pool.map(lambda name: found(client, name, 4, vector=vectors[name]), vectors)
    for (name, vector), ids in zip(vectors.items(), told, strict=True):
        assert ids == best_of(stand.namespaces.banks[name], vector, 4)


def test_frames_beyond_the_message_are_let_by(stand: Stand, client: GpuClient) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(stand.endpoint)
        asked = written(Asked(7, b"a", 0, 1, Scan.of(EVERYTHING), query(1).tobytes()))
        socket.send_multipart([b"one", b"two", asked])
        assert socket.poll(30_000)
        assert read_told(socket.recv()).number == 7
    assert found(client, b"a", 1, vector=query(1))


def test_many_threads_get_their_own_answers(stand: Stand, client: GpuClient) -> None:
    def ask(number: int) -> bool:
        name = b"ab"[number % 2 : number % 2 + 1]
        return found(client, name, 4, vector=query(number)) == best_of(stand.namespaces.banks[name], query(number), 4)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(20)))


def test_questions_are_embedded_while_others_are_searched(
    stand: Stand, client: GpuClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: dict[str, list[tuple[float, float]]] = {"encode": [], "search": []}

    def taking(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            begun = time.perf_counter()
            time.sleep(0.01)
            done = work(*given)
            spans[name].append((begun, time.perf_counter()))
            return done

        return run

    monkeypatch.setattr(stand.server, "_encode", taking("encode", encode))
    monkeypatch.setattr(stand.server, "_bank", SimpleNamespace(search=taking("search", stand.server._bank.search)))
    texts = ["x" * n for n in range(1, 25)]
    expected = [best_of(stand.namespaces.banks[b"a"], query(len(text)), 5) for text in texts]
    by = time.monotonic() + 30
    with ThreadPoolExecutor(6) as pool:
        # On a busy machine all of them may come in step, be embedded together and searched together.
        while not any(a < d and c < b for a, b in spans["encode"] for c, d in spans["search"]):
            assert time.monotonic() < by
            assert list(pool.map(lambda text: found(client, b"a", 5, text=text), texts)) == expected


def test_a_namespace_that_is_behind_is_brought_up_first(stand: Stand, client: GpuClient) -> None:
    stand.namespaces.late.add(b"a")
    assert found(client, b"a", 3, vector=query(1)) == best_of(stand.namespaces.banks[b"a"], query(1), 3)


def test_what_cannot_be_answered_is_refused_and_the_rest_goes_on(
    stand: Stand, client: GpuClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DeviceLostError):
        client.search(b"nowhere", 0, EVERYTHING, 3, vector=query(1))
    assert "KeyError" in caplog.text
    with pytest.raises(DeviceLostError):
        client.search(b"a", 0, EVERYTHING, 3, vector=query(1)[:-1])
    with pytest.raises(DeviceLostError):
        client.search(b"a", 0, EVERYTHING, 3, text="unspeakable")
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(stand.endpoint)
        for rubbish in (
            b"",
            b"\xff\xff",
            written(Told(1)),
            written(Asked(1, b"a", 0, 0, Scan.of(EVERYTHING), b"1234")),
        ):
            socket.send(rubbish)
        assert not socket.poll(200)
    assert found(client, b"a", 1, vector=query(1)) == best_of(stand.namespaces.banks[b"a"], query(1), 1)


def test_without_a_process_one_wait_is_all_it_costs(tmp_path: Path) -> None:
    client = GpuClient(f"ipc://{tmp_path}/nobody", timeout_s=0.2, pause_s=60)
    begun = time.monotonic()
    for _ in range(100):
        with pytest.raises(DeviceLostError):
            client.search(b"a", 0, EVERYTHING, 3, vector=query(1))
    assert 0.2 <= time.monotonic() - begun < 5
    client.close()


def test_a_late_answer_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as late:
        late.linger = 0
        late.bind(f"ipc://{tmp_path}/late")
        client = GpuClient(f"ipc://{tmp_path}/late", timeout_s=0.5, pause_s=0.0)
        with pytest.raises(DeviceLostError):
            client.search(b"a", 0, EVERYTHING, 3, vector=query(1))
        who, data = late.recv_multipart()
        late.send_multipart([who, written(Told(read_asked(data).number, memory_ids=b"\0" * 16))])

        def answer() -> None:
            who, data = late.recv_multipart()
            late.send_multipart([who, written(Told(10_000))])  # of somebody else
            late.send_multipart([who, written(Told(read_asked(data).number))])

        thread = threading.Thread(target=answer)
        thread.start()
        assert client.search(b"a", 0, EVERYTHING, 3, vector=query(1)).memory_ids.shape == (0, 16)
        thread.join(30)
        client.close()


def test_a_filter_arrives_as_it_was_sent() -> None:
    allowed = np.arange(32, dtype=np.uint8).reshape(2, 16)
    scan = ScanFilter(
        kinds=frozenset(Kind),
        states=frozenset(State),
        any_pairs=((1, 2**64 - 1), (3,)),
        no_pairs=(4,),
        ranges=(Range(TimeColumn.OCCURRED, -1.0, 2.0), Range(NumberColumn.TRUST, 0.0, 0.5)),
        now_us=5,
        as_of_us=-6,
        valid_at_us=7,
        allowed=allowed,
    )
    asked = read_asked(written(Asked(1, b"a", 2, 3, Scan.of(scan), text="ü")))
    assert asked.scan.filter() == scan
    np.testing.assert_array_equal(asked.scan.filter().allowed, allowed)
    nothing = Scan.of(ScanFilter(allowed=allowed[:0])).filter().allowed
    assert nothing is not None
    assert nothing.shape == (0, 16)


@pytest.mark.parametrize("wrong", [{"kinds": (9,)}, {"states": (77,)}, {"ranges": (("nothing", 0.0, 1.0),)}])
def test_a_filter_of_unknown_values_is_refused(wrong: dict[str, Any]) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=r"not a valid|no column"):
            msgspec.structs.replace(Scan.of(EVERYTHING), **wrong).filter()


@pytest.mark.parametrize("data", [b"", b"\x91\x01", written(Told(1, error="no")), b"\xdf" * 40])
def test_what_is_no_search_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        read_asked(data)


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(MalformedMessageError):
        read_told(b"\x93\xa1a")
