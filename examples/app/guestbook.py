"""A guestbook: the part of a site that has to remember something.

    pip install 'zeroserve[app]' fastapi
    zeroserve examples/app/site --app guestbook:app --app-dir examples/app

Entries are kept in the SQLite file that GUESTBOOK names, so any number of processes
(--app-workers) may share them, and a new start loses none.
"""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, Request, WebSocket
from pydantic import BaseModel, Field

DATABASE = Path(os.environ.get("GUESTBOOK") or Path(tempfile.gettempdir(), "guestbook.db"))
NEWEST = 50
LOOK_S = 0.25
"""How often somebody who watches is told what others have written."""


class NewEntry(BaseModel):
    """What a visitor writes."""

    name: str = Field(min_length=1, max_length=40)
    text: str = Field(min_length=1, max_length=500)


class Entry(NamedTuple):
    """What is kept of it."""

    id: int
    name: str
    text: str


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        yield connection


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    with database() as connection:
        connection.execute(
            "create table if not exists entries (id integer primary key, name text, text text)"
        )
    yield


app = FastAPI(title="Guestbook", lifespan=lifespan)


def newer_than(number: int) -> list[Entry]:
    """Entries from there on, the oldest first."""
    query = "select id, name, text from entries where id > ? order by id desc limit ?"
    with database() as connection:
        found = connection.execute(query, (number, NEWEST)).fetchall()
    return [Entry(*row) for row in reversed(found)]


@app.get("/api/entries")
def entries() -> list[dict[str, int | str]]:
    return [entry._asdict() for entry in newer_than(0)]


@app.post("/api/entries", status_code=201)
def write(new: NewEntry) -> dict[str, int | str]:
    with database() as connection:
        row = (new.name, new.text)
        cursor = connection.execute("insert into entries (name, text) values (?, ?)", row)
    return Entry(cursor.lastrowid or 0, new.name, new.text)._asdict()


@app.get("/api/me")
def me(request: Request) -> dict[str, str]:
    """Who asks, and how: as the client has it, though it comes through a Unix socket."""
    client = request.client.host if request.client else ""
    return {"address": client, "url": str(request.url)}


@app.websocket("/api/live")
async def live(socket: WebSocket) -> None:
    """Entries as they are written, from the one that the visitor has last."""
    await socket.accept()
    seen = int(await socket.receive_text())
    # A visitor says no more; what is received next is the end.
    end = asyncio.create_task(socket.receive())
    while not end.done():
        for entry in await asyncio.to_thread(newer_than, seen):
            await socket.send_json(entry._asdict())
            seen = entry.id
        await asyncio.wait([end], timeout=LOOK_S)
