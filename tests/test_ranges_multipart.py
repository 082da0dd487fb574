"""Several ranges in one request: multipart answers, capped, nothing sent twice."""

import random
import re

import pytest
from support.ranges import boundary, full, parts
from support.server import Server
from support.sites import FILES
from support.wire import Response, fetch

DATA = FILES["data.bin"]
SIZE = len(DATA)
PART_CAP = 16


def get(site: Server, value: str) -> Response:
    return fetch(site.address, "/data.bin", {"Range": value})


def test_several_ranges(site: Server) -> None:
    response = get(site, "bytes=0-9,100-109,-5")
    media = "application/octet-stream"
    assert parts(response) == [
        (media, f"bytes 0-9/{SIZE}", DATA[:10]),
        (media, f"bytes 100-109/{SIZE}", DATA[100:110]),
        (media, f"bytes {SIZE - 5}-{SIZE - 1}/{SIZE}", DATA[-5:]),
    ]
    assert response.need("content-length") == str(len(response.body))


def covered(response: Response) -> list[tuple[int, int]]:
    """First and last byte of each range answered, each checked against the file."""
    if response.media_type != "multipart/byteranges":
        answers = [(response.need("content-range"), response.body)]
    else:
        answers = [(where, body) for _, where, body in parts(response)]
    spans = []
    for text, body in answers:
        found = re.fullmatch(rf"bytes (\d+)-(\d+)/{SIZE}", text)
        assert found, text
        first, last = int(found[1]), int(found[2])
        assert body == DATA[first : last + 1]
        spans.append((first, last))
    return spans


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ("bytes=0-9,5-14", [(0, 14)]),
        ("bytes=0-99,10-19", [(0, 99)]),
        ("bytes=0-9,0-9", [(0, 9)]),
        ("bytes=0-9,50-59,5-12", [(0, 12), (50, 59)]),
        ("bytes=-10,-20", [(SIZE - 20, SIZE - 1)]),
        (f"bytes=0-,{SIZE - 1}-", [(0, SIZE - 1)]),
    ],
)
def test_overlaps_are_sent_once(site: Server, value: str, spans: list[tuple[int, int]]) -> None:
    """Overlapping ranges are how a small request asks for a huge answer."""
    response = get(site, value)
    assert sorted(covered(response)) == spans


def test_the_number_of_ranges_is_capped(site: Server) -> None:
    allowed = ",".join(f"{100 * n}-{100 * n + 9}" for n in range(PART_CAP))
    assert len(parts(get(site, f"bytes={allowed}"))) == PART_CAP
    full(get(site, f"bytes={allowed},5000-5009"), DATA)
    full(get(site, "bytes=" + ",".join(["0-"] * 1000)), DATA)
    full(get(site, "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 2))), DATA)


def test_the_boundary_does_not_occur_in_the_data(site: Server) -> None:
    response = get(site, "bytes=0-40000,50000-")
    assert boundary(response) not in DATA
    assert len(parts(response)) == 2


def test_random_lists(site: Server) -> None:
    """Whatever is asked for is covered, nothing else is sent, each byte once."""
    dice = random.Random(7)
    for _ in range(150):
        wanted: set[int] = set()
        specs = []
        for _ in range(dice.randrange(1, 6)):
            first = dice.randrange(0, 1200)
            last = first + dice.randrange(0, 200)
            specs.append(f"{first}-{last}")
            wanted.update(range(first, last + 1))
        spans = covered(get(site, "bytes=" + ",".join(specs)))
        got = [byte for first, last in spans for byte in range(first, last + 1)]
        assert len(got) == len(set(got)), specs
        assert wanted <= set(got), specs
        gap = 80 * len(specs)  # parts closer than their own head may be joined
        assert len(got) <= len(wanted) + gap, specs
