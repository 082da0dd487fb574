"""Pools of upstreams: real backends that are killed, get sick, have no place left."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import admin, chromium
from support.backend import Backend
from support.http2 import Http2
from support.server import Server, command, running, wait_until
from support.wire import Address, Closed, Connection, FramingError, Response, fetch, request
from zeroserve.pack import pack

SCRIPT = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def everything(req: Request) -> Response | None:
    return proxy("pool:api")
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose script passes everything on to the pool ``api``; it has none itself."""
    folder = tmp_path_factory.mktemp("site")
    write(folder / "site" / ".zeroserve" / "scripts" / "all.py", SCRIPT)
    pack(folder / "site", folder / "site.tar")
    return folder / "site.tar"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def toml(upstreams: Sequence[str | dict[str, Any]], more: str = "") -> str:
    """A pool ``api``; ``more`` are its keys, then its tables, named as below ``[pools.api]``."""
    listed = ", ".join(
        json.dumps(one)
        if isinstance(one, str)
        else "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in one.items()) + "}"
        for one in upstreams
    )
    return f"[pools.api]\nupstreams = [{listed}]\n{more}"


class Front(NamedTuple):
    """A server in front of backends."""

    server: Server
    admin: Address
    config: Path

    def get(self, path: str = "/", headers: dict[str, str] | None = None) -> Response:
        return fetch(self.server.address, path, headers or {})

    def name(self, path: str = "/", headers: dict[str, str] | None = None) -> str:
        """Which backend has answered."""
        response = self.get(path, headers)
        assert response.status == 200, response
        return response.need("x-backend")

    def spread(self, count: int, path: str = "/") -> Counter[str]:
        return Counter(self.name(path) for _ in range(count))

    def pool(self) -> dict[str, Any]:
        found: dict[str, Any] = admin.answer(self.admin, "/status")["pools"][0]
        return found

    def upstreams(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.pool()["upstreams"]
        return found

    def states(self) -> list[str]:
        return [upstream["state"] for upstream in self.upstreams()]


@contextmanager
def fronting(
    packed: Path, folder: Path, config: str, *options: str, threads: int = 2
) -> Iterator[Front]:
    file = write(folder / "pools.toml", config)
    every = ["--threads", str(threads), "--admin", "127.0.0.1:0", "--access-log", "off", *options]
    with running(packed, "--config", file, *every) as server:
        yield Front(server, admin.place(server), file)


@pytest.fixture
def three() -> Iterator[list[Backend]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Backend(name)) for name in "abc"]


def urls(backends: Sequence[Backend]) -> list[str]:
    return [backend.url for backend in backends]


# --- who is chosen --------------------------------------------------------------------------------


def test_round_robin(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    with fronting(packed, tmp_path, toml(urls(three))) as front:
        assert front.spread(30) == {"a": 10, "b": 10, "c": 10}


def test_weights(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    heavy = {"url": three[0].url, "weight": 3}
    with fronting(packed, tmp_path, toml([heavy, three[1].url])) as front:
        assert front.spread(20) == {"a": 15, "b": 5}


@pytest.mark.parametrize("policy", ["least_connections", "random_two"])
def test_policies_that_look_at_the_load(
    packed: Path, tmp_path: Path, three: list[Backend], policy: str
) -> None:
    """While one has a request that takes long, others get the next ones."""
    config = toml(urls(three[:2]), f'policy = "{policy}"')
    with fronting(packed, tmp_path, config) as front, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(front.name, "/sleep/1500")
        wait_until(lambda: sum(one["in_flight"] for one in front.upstreams()) == 1, 5)
        others = front.spread(6)
        assert set(others) == {"a", "b"} - {slow.result()}


@pytest.mark.parametrize("by", ["source", "header X-User", "cookie sid"])
def test_hash(packed: Path, tmp_path: Path, three: list[Backend], by: str) -> None:
    def of(user: int) -> dict[str, str]:
        return {"X-User": f"u{user}", "Cookie": f"a=b; sid=u{user}; c=d"}

    config = toml(urls(three), f'policy = "hash"\nhash = "{by}"')
    with fronting(packed, tmp_path, config) as front:
        before = {user: front.name(headers=of(user)) for user in range(40)}
        assert before == {user: front.name(headers=of(user)) for user in range(40)}
        expected = 1 if by == "source" else 3
        assert len(set(before.values())) == expected
        if by == "source":
            return
        # Only the keys of the one that is gone move.
        write(front.config, toml(urls(three[:2]), f'policy = "hash"\nhash = "{by}"'))
        front.server.hang_up()
        wait_until(lambda: len(front.upstreams()) == 2, 5)
        after = {user: front.name(headers=of(user)) for user in range(40)}
        assert {user for user in before if after[user] != before[user]} == {
            user for user, name in before.items() if name == "c"
        }


def test_backup(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    backup = {"url": three[2].url, "backup": True}
    config = toml([three[0].url, backup], "ejection.failures = 1")
    with fronting(packed, tmp_path, config) as front:
        assert front.spread(6) == {"a": 6}
        three[0].kill()
        assert front.spread(6) == {"c": 6}


# --- who fails ------------------------------------------------------------------------------------


class Load:
    """Clients that ask again and again, and what became of it."""

    def __init__(self, front: Front, clients: int = 8) -> None:
        self._front = front
        self.answers: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                with Connection(self._front.server.address) as connection:
                    while not self._end.is_set():
                        connection.send(request("/", {"Host": "x"}))
                        response = connection.response()
                        name = response.header("x-backend") or f"status {response.status}"
                        with self._lock:
                            self.answers.append((time.monotonic(), name))
            except (OSError, Closed, FramingError) as error:
                with self._lock:
                    self.answers.append((time.monotonic(), f"{type(error).__name__}"))

    def since(self, moment: float) -> Counter[str]:
        with self._lock:
            return Counter(name for at, name in self.answers if at >= moment)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


def test_a_backend_is_killed_and_comes_back(
    packed: Path, tmp_path: Path, three: list[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    """No client sees it: what fails is asked elsewhere, and soon nothing is asked there at all."""
    config = toml(urls(three), "ejection = {base_ms = 500, max_ms = 1000}")
    with fronting(packed, tmp_path, config) as front, Load(front) as load:
        begin = time.monotonic()
        wait_until(lambda: len(load.since(begin)) == 3 and load.since(begin).total() > 300, 30)
        three[1].kill()
        killed = time.monotonic()
        wait_until(lambda: front.states()[1] != "up", 30)
        ejected = time.monotonic()
        wait_until(lambda: load.since(ejected).total() > 300, 30)
        three[1].start()
        revived = time.monotonic()
        wait_until(lambda: front.states()[1] == "up", 30)
        back = time.monotonic()
        wait_until(lambda: load.since(back).total() > 300, 30)
        states = front.upstreams()
    phases = {
        "before": Counter(name for at, name in load.answers if at < killed),
        "killed": Counter(name for at, name in load.answers if killed <= at < ejected),
        "ejected": Counter(name for at, name in load.answers if ejected <= at < revived),
        "back": load.since(back),
    }
    with capsys.disabled():
        print()
        for phase, counts in phases.items():
            print(f"    {phase}: {dict(sorted(counts.items()))}")
        one = states[1]
        failed = {phase: count for phase, count in one["failures"].items() if count}
        print(f"    the one killed: failed {failed}, ejected {one['ejections']} times")
    assert set(phases["before"]) == {"a", "b", "c"}
    for phase in ("before", "killed", "ejected", "back"):
        assert set(phases[phase]) <= {"a", "b", "c"}, phase
    share = phases["back"]["b"] / phases["back"].total()
    assert 0.2 < share < 0.5
    assert one["ejections"] >= 1 and sum(one["failures"].values()) >= 3


def test_what_never_left_is_asked_elsewhere(
    packed: Path, tmp_path: Path, three: list[Backend]
) -> None:
    """Also a POST: nobody has seen it."""
    three[0].kill()
    with fronting(packed, tmp_path, toml(urls(three[:2]), "ejection.failures = 0")) as front:
        for _ in range(6):
            headers = {"Content-Length": "4"}
            response = fetch(front.server.address, "/", headers, method="POST", body=b"body")
            assert (response.status, response.body) == (200, b"b")
        assert front.upstreams()[0]["failures"]["connect"] == 3
        assert front.upstreams()[1]["retries"] == 3


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 200), ("POST", 502)])
def test_what_was_sent_is_repeated_if_that_does_no_harm(
    packed: Path, tmp_path: Path, three: list[Backend], method: str, status: int
) -> None:
    with fronting(packed, tmp_path, toml(urls(three[:2])), threads=1) as front:
        headers = {"Content-Length": "4"}
        answers = [
            fetch(front.server.address, "/cut/a", headers, method=method, body=b"body").status
            for _ in range(2)
        ]
        assert sorted(answers) == sorted([200, status])
        seen = [backend.seen().get("/cut/a", 0) for backend in three[:2]]
        assert seen == ([1, 2] if status == 200 else [1, 1])


def test_statuses_are_tried_again_if_told(
    packed: Path, tmp_path: Path, three: list[Backend]
) -> None:
    config = toml(urls(three[:2]), 'retries = {status = ["502-504"]}\nejection.failures = 0')
    with fronting(packed, tmp_path, config) as front:
        assert front.spread(6, "/bad/a/503") == {"b": 6}
        # An answer is better than none.
        assert front.get("/status/503").status == 503
        assert front.get("/bad/a/500").status in (200, 500)


def test_a_retry_has_a_budget(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    """With everything failing, load grows by the reserve and a share, not by a factor."""
    config = toml(
        urls(three[:2]),
        "ejection.failures = 0\nretries = {count = 5, budget_percent = 10, status = 503}",
    )
    with fronting(packed, tmp_path, config, threads=1) as front:
        for _ in range(100):
            assert front.get("/status/503").status == 503
        seen = sum(backend.seen()["/status/503"] for backend in three[:2])
        assert 100 < seen <= 140


def test_all_are_down(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    """The first reason is told, not that there is nobody left."""
    for backend in three:
        backend.kill()
    with fronting(packed, tmp_path, toml(urls(three))) as front:
        assert front.get().status == 502
        front.server.wait_line(r"no answer of http://\S+ \(pool api\): connect: connection refused")


def test_a_pool_that_there_is_not(packed: Path, tmp_path: Path) -> None:
    with running(packed, "--threads", "1") as server:
        assert fetch(server.address, "/").status == 502
        server.wait_line("can't pass requests on to pool:api: there is no pool of that name")


def test_timeouts(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    config = toml(urls(three[:1]), "timeouts = {first_byte_ms = 300}")
    with fronting(packed, tmp_path, config) as front:
        assert front.get("/sleep/3000").status == 504
        assert front.get("/sleep/10").status == 200
    config = toml(urls(three[:2]), 'timeouts.first_byte_ms = 300\nretries.on = ["timeout"]')
    with fronting(packed, tmp_path, config) as front:
        assert front.get("/sleep/3000").status == 504
        assert sum(one["retries"] for one in front.upstreams()) == 1
    config = toml(urls(three[:2]), "timeouts.total_ms = 300")
    with fronting(packed, tmp_path, config) as front:
        assert front.get("/sleep/3000").status == 504


def test_circuit_breaker(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    config = toml(
        urls(three[:1]),
        'failure_status = "500-599"\n'
        "breaker = {error_percent = 50, min_requests = 10, open_ms = 1500}",
    )
    with fronting(packed, tmp_path, config) as front:
        for _ in range(10):
            assert front.get("/status/500").status == 500
        assert front.get().status == 503
        assert front.pool()["breaker_open"]
        seen = three[0].seen()
        assert front.get().status == 503
        assert three[0].seen() == seen, "nothing is asked"
        wait_until(lambda: front.get().status == 200, 10)
        assert front.spread(5) == {"a": 5}


# --- health ---------------------------------------------------------------------------------------

HEALTH = "health = {path = '/health', interval_ms = 200, healthy = 1, unhealthy = 1}"


def test_health_checks(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    with fronting(packed, tmp_path, toml(urls(three), HEALTH)) as front:
        wait_until(lambda: front.states() == ["up"] * 3, 5)
        three[2].ask("/.sick")
        wait_until(lambda: front.states()[2] == "down", 10)
        front.server.wait_line(rf"warning: pool api: {three[2].url} is down: status 503")
        assert set(front.spread(6)) == {"a", "b"}
        assert front.upstreams()[2]["last_error"]["message"] == "status 503"
        three[2].ask("/.well")
        wait_until(lambda: front.states()[2] == "up", 10)
        front.server.wait_line(rf"pool api: {three[2].url} is up")
        assert set(front.spread(6)) == {"a", "b", "c"}
        # One worker asks, not each.
        assert all(backend.seen()["/health"] < 200 for backend in three)


def test_all_sick(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    """What checks found down is not asked, even when nobody is left."""
    with fronting(packed, tmp_path, toml(urls(three[:1]), HEALTH)) as front:
        three[0].ask("/.sick")
        wait_until(lambda: front.states() == ["down"], 10)
        assert front.get().status == 503
        three[0].kill()
        time.sleep(0.5)
        three[0].start()
        wait_until(lambda: front.get().status == 200, 10)


# --- places ---------------------------------------------------------------------------------------


def test_no_more_than_places(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    config = toml([{"url": three[0].url, "max_connections": 2}])
    with fronting(packed, tmp_path, config) as front, ThreadPoolExecutor(12) as threads:
        answers = [threads.submit(front.name, "/sleep/50") for _ in range(12)]
        assert [answer.result() for answer in answers] == ["a"] * 12
        assert three[0].seen()["most"] == 2


def test_the_queue_is_bounded(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    config = toml(
        [{"url": three[0].url, "max_connections": 1}], "queue = {max = 2, timeout_ms = 10000}"
    )
    with fronting(packed, tmp_path, config) as front, ThreadPoolExecutor(3) as threads:
        slow = [threads.submit(front.get, "/sleep/1500") for _ in range(3)]
        wait_until(lambda: front.pool()["waiting"] == 2, 5)
        assert front.get().status == 503
        assert [answer.result().status for answer in slow] == [200] * 3


def test_waiting_has_an_end(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    config = toml([{"url": three[0].url, "max_connections": 1}], "queue.timeout_ms = 300")
    with fronting(packed, tmp_path, config) as front, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(front.get, "/sleep/2000")
        wait_until(lambda: front.upstreams()[0]["in_flight"] == 1, 5)
        assert front.get().status == 504
        assert slow.result().status == 200
        assert front.get().status == 200


# --- configuration --------------------------------------------------------------------------------


def test_base_and_host(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    for host in ("keep", "upstream"):
        config = toml([three[0].url + "/head"], f'host = "{host}"')
        with fronting(packed, tmp_path, config) as front:
            head = front.get("/", {"Host": "www.example.org"}).body.decode()
            own = f"127.0.0.1:{three[0].port}"
            assert head.startswith("GET /head/ HTTP/1.1\r\n")
            assert f"\r\nHost: {'www.example.org' if host == 'keep' else own}\r\n" in head
            assert "\r\nX-Forwarded-Host: www.example.org\r\n" in head


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_pools_of_a_site(tmp_path: Path, three: list[Backend], form: str) -> None:
    """They belong to its generation; those of the process take their place."""
    site = tmp_path / "site"
    write(site / ".zeroserve" / "scripts" / "all.py", SCRIPT)
    write(site / ".zeroserve" / "zeroserve.toml", toml(urls(three[:1])))
    path = site if form == "directory" else tmp_path / "site.tar"

    def publish(config: str) -> None:
        write(site / ".zeroserve" / "zeroserve.toml", config)
        if form == "archive":
            pack(site, path)

    publish(toml(urls(three[:1])))
    with running(path, "--threads", "1") as server:
        assert fetch(server.address, "/").body == b"a"
        assert fetch(server.address, "/.zeroserve/zeroserve.toml").status == 200, "passed on"
        publish(toml(urls(three[1:2])))
        wait_until(lambda: fetch(server.address, "/").body == b"b", 10)
        if form == "directory":
            publish("[pools.api]\nupstream = 1\n")
            server.wait_line(r"zeroserve.toml:2: pools.api.upstream: unknown key \(and 1 more\)")
            assert fetch(server.address, "/").body == b"b"
    publish(toml(urls(three[:1])))
    config = write(tmp_path / "own.toml", toml(urls(three[2:])))
    with running(path, "--threads", "1", "--config", config) as server:
        assert fetch(server.address, "/").body == b"c"


def test_a_reload_keeps_what_is_known(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    more = "ejection = {failures = 1, base_ms = 60000, max_ms = 60000}"
    with fronting(packed, tmp_path, toml(urls(three[:2]), more)) as front:
        three[0].kill()
        front.spread(4)
        assert front.states() == ["ejected", "up"]
        three[0].start()
        write(front.config, toml(urls(three), more))
        front.server.hang_up()
        wait_until(lambda: front.states() == ["ejected", "up", "up"], 5)
        assert front.spread(4) == {"b": 2, "c": 2}
        write(front.config, "[pools.api]\nupstreams = 3\n")
        front.server.hang_up()
        front.server.wait_line("configuration refused.*pools.toml:2: pools.api.upstreams")
        assert front.spread(4) == {"b": 2, "c": 2}


def test_metrics(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    three[1].kill()
    more = "ejection = {failures = 1, base_ms = 60000, max_ms = 60000}"
    with fronting(packed, tmp_path, toml(urls(three[:2]), more)) as front:
        front.spread(4)
        page = admin.get(front.admin, "/metrics").body.decode()
    found = {
        (sample.name, sample.labels["upstream"], sample.labels.get("phase")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.labels.get("pool") == "api" and "upstream" in sample.labels
    }
    a, b = urls(three[:2])
    assert found["zeroserve_upstream_up", a, None] == 1
    assert found["zeroserve_upstream_up", b, None] == 0
    assert found["zeroserve_upstream_requests_total", a, None] == 4
    assert found["zeroserve_upstream_failures_total", b, "connect"] == 1
    assert found["zeroserve_upstream_retries_total", a, None] == 1
    assert found["zeroserve_upstream_ejections_total", b, None] == 1
    assert found["zeroserve_upstream_first_byte_seconds_count", a, None] == 4


def test_status_for_people(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    three[1].kill()
    with fronting(packed, tmp_path, toml(urls(three[:2]), "ejection.failures = 1")) as front:
        front.spread(4)
        done = command("status", "--admin", f"{front.admin[0]}:{front.admin[1]}")
        a, b = urls(three[:2])
        assert "pool api\n" in done.stdout
        assert f"  upstream {a}, up, 0 under way, 4 requests, 0 failed\n" in done.stdout
        refused = "ejected: connect: connection refused"
        assert f"  upstream {b}, {refused}, 0 under way, 1 request, 1 failed\n" in done.stdout


@pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")
def test_the_admin_page_shows_upstreams(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    with (
        fronting(packed, tmp_path, toml(urls(three[:2]), HEALTH)) as front,
        chromium.browser(tmp_path) as page,
    ):
        page.open(f"http://{front.admin[0]}:{front.admin[1]}/")
        cells = "[...document.querySelectorAll('#pools tbody td:nth-child(2)')]"
        states = f"{cells}.map((cell) => cell.textContent).join()"
        page.wait_for(f"{states} == 'up,up'")
        three[1].ask("/.sick")
        page.wait_for(f"{states} == 'up,down: status 503'")
        assert page.complaints == []


def test_over_http2(packed: Path, tmp_path: Path, three: list[Backend]) -> None:
    """The same for clients that speak HTTP/2."""
    front_of_three = fronting(packed, tmp_path, toml(urls(three)))
    with front_of_three as front, Http2(front.server.address) as client:
        names = Counter(client.get("/").body for _ in range(9))
        assert names == {b"a": 3, b"b": 3, b"c": 3}
