"""Headless Chromium, spoken to over its own debugging pipe: no driver, no WebSocket.

Messages of the DevTools protocol are JSON with a NUL at the end, on descriptors 3 and 4.

    with browser(profile) as page:
        page.open("http://127.0.0.1:8080/")
        assert page.evaluate("document.title") == "Start"
        assert page.complaints == []
"""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0

Message = dict[str, Any]


def find() -> str | None:
    """Path of the browser, if it is installed."""
    return shutil.which("chromium")


class Page:
    """One tab, and everything in it that went wrong."""

    def __init__(self, commands: int, events: int) -> None:
        self.complaints: list[str] = []
        """Console errors, uncaught exceptions, and requests that failed."""
        self.responses: list[Message] = []
        """Every response that the page loaded, as the protocol describes it."""
        self._under_way: set[str] = set()
        self._commands = commands
        self._events = events
        self._buffer = b""
        self._session = ""
        self._last_id = 0

    def attach(self) -> None:
        target = self._call("Target.createTarget", url="about:blank", timeout_s=START_TIMEOUT_S)
        attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        answer = self._call("Page.navigate", url=url)
        assert "errorText" not in answer, answer

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 20.0) -> Any:
        """Poll until the expression is true."""
        deadline = time.monotonic() + timeout_s
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}; {self.complaints}"
            time.sleep(0.05)
        return value

    def wait_idle(self, quiet_s: float = 1.0) -> None:
        """Until nothing has been loading for that long."""
        quiet_since = time.monotonic()
        deadline = quiet_since + ANSWER_TIMEOUT_S
        seen = len(self.responses)
        while time.monotonic() - quiet_since < quiet_s:
            assert time.monotonic() < deadline, f"still loading: {self._under_way}"
            self.evaluate("0")
            if self._under_way or len(self.responses) != seen:
                quiet_since, seen = time.monotonic(), len(self.responses)
            time.sleep(0.05)

    def _call(
        self, method: str, timeout_s: float = ANSWER_TIMEOUT_S, **parameters: object
    ) -> Message:
        self._last_id += 1
        message: Message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(timeout_s)
            if answer.get("id") == self._last_id:
                assert "error" not in answer, answer
                result: Message = answer["result"]
                return result
            self._note(answer)

    def _next(self, timeout_s: float) -> Message:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._events], [], [], timeout_s)
            assert ready, f"the browser said nothing for {timeout_s} s"
            data = os.read(self._events, 1 << 20)
            assert data, "the browser ended"
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: Message = json.loads(text)
        return message

    def _note(self, event: Message) -> None:
        method, about = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self._under_way.add(about["requestId"])
        elif method in ("Network.loadingFinished", "Network.loadingFailed"):
            self._under_way.discard(about["requestId"])
        if method == "Network.responseReceived":
            self.responses.append(about["response"])
        elif method == "Network.loadingFailed" and not about.get("canceled"):
            self.complaints.append(f"not loaded: {about['errorText']}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {about['exceptionDetails']}")
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
            self.complaints.append(f"console: {about['args']}")
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append(f"log: {about['entry']['text']} {about['entry'].get('url')}")


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Page]:
    """A fresh browser with one empty page for the time of the block; ``flags`` are its own."""
    program = find()
    assert program
    commands_read, commands_write = os.pipe()
    events_read, events_write = os.pipe()

    def into_place() -> None:
        low, high = os.dup(commands_read), os.dup(events_write)
        os.dup2(low, 3)
        os.dup2(high, 4)

    with (profile / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=into_place,
            close_fds=False,
        )
    os.close(commands_read)
    os.close(events_write)
    try:
        page = Page(commands_write, events_read)
        page.attach()
        yield page
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(commands_write)
        os.close(events_read)
