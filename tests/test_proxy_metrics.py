"""What metrics say of upstreams that are asked by their URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.admin import administered, get
from support.proxying import BY_FIELD, NAMED
from support.server import Server
from support.upstream import Call, Upstream
from support.wire import Address, Closed, FramingError, fetch

Pair = tuple[Server, Address]
Samples = dict[tuple[str, str, str | None], float]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    script = tmp_path / "pass_on.py"
    script.write_text(BY_FIELD)
    with administered(script) as pair:
        yield pair


def samples(admin: Address) -> Samples:
    page = get(admin, "/metrics").body.decode()
    return {
        (sample.name, sample.labels["upstream"], sample.labels.get("phase")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.labels.get("pool") == "" and "le" not in sample.labels
    }


def test_answers_and_failures(pair: Pair) -> None:
    server, admin = pair
    assert samples(admin) == {}
    with Upstream() as upstream:
        for _ in range(5):
            assert fetch(server.address, "/", {NAMED: upstream.url}).status == 200
        name = upstream.url
    for _ in range(2):
        assert fetch(server.address, "/", {NAMED: name}).status == 502
    found = samples(admin)
    assert found["zeroserve_upstream_requests_total", name, None] == 7
    assert found["zeroserve_upstream_first_byte_seconds_count", name, None] == 5
    assert 0 < found["zeroserve_upstream_first_byte_seconds_sum", name, None] < 5
    failures = {
        phase: count
        for (metric, _, phase), count in found.items()
        if metric == "zeroserve_upstream_failures_total" and count
    }
    # The first of them may have found a connection that was being closed.
    assert sum(failures.values()) == 2 and failures["connect"] >= 1


def test_a_body_that_breaks_off_is_one_request(pair: Pair) -> None:
    server, admin = pair

    def answer(call: Call) -> None:
        call.drain()
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"a" * 100_000)
        call.close()

    with Upstream(answer) as upstream:
        with pytest.raises((Closed, FramingError, ConnectionResetError)):
            fetch(server.address, "/", {NAMED: upstream.url})
        found = samples(admin)
    assert found["zeroserve_upstream_failures_total", upstream.url, "body"] == 1
    assert found["zeroserve_upstream_requests_total", upstream.url, None] == 1
