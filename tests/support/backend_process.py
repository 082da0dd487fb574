"""The process of ``support.backend``: what it does depends on the path. Standard library only."""

import asyncio
import json
import sys
import time

HOST = "127.0.0.1"


class Upstream:
    def __init__(self, name: str) -> None:
        self.name = name
        self.sick = False
        self.seen: dict[str, int] = {}
        self.under_way = 0
        self.most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        named = dict(field.lower().split(": ", 1) for field in fields if ": " in field)
        await reader.readexactly(int(named.get("content-length", "0")))
        path = line.split()[1]
        if not path.startswith("/."):
            self.seen[path] = self.seen.get(path, 0) + 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            answer = await self._answer(path, head)
        finally:
            self.under_way -= 1
        if answer is None:
            return False
        status, body = answer
        close = named.get("connection") == "close"
        lines = [
            f"HTTP/1.1 {status} Whatever",
            f"Content-Length: {len(body)}",
            f"X-Backend: {self.name}",
            *(["Connection: close"] if close else []),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return not close

    async def _answer(self, path: str, head: str) -> tuple[int, bytes] | None:
        parts = path.split("?")[0].strip("/").split("/")
        match parts:
            case ["sleep", ms]:
                await asyncio.sleep(int(ms) / 1000)
            case ["status", status]:
                return int(status), b""
            case ["bad", name, status]:
                # Only one of them has it.
                return (int(status) if name == self.name else 200), self.name.encode()
            case ["cut", name] if name == self.name:
                return None
            case ["head"]:
                return 200, head.encode()
            case [".sick"]:
                self.sick = True
            case [".well"]:
                self.sick = False
            case ["health"]:
                return (503 if self.sick else 200), b""
            case [".seen"]:
                return 200, json.dumps({**self.seen, "most": self.most}).encode()
            case _:
                pass
        return 200, self.name.encode()


async def main(name: str, port: int) -> None:
    upstream = Upstream(name)
    server = await asyncio.start_server(upstream.serve, HOST, port, backlog=256)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    while True:
        try:
            asyncio.run(main(sys.argv[1], int(sys.argv[2])))
        except OSError:
            # Whoever had the port is about to let go of it.
            time.sleep(0.05)
