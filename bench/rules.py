"""The rules of `scripts`: 10,000 redirects and 200 blocks, for zeroserve and for nginx."""

from __future__ import annotations

import tarfile
from pathlib import Path

from bench.servers import NGINX_FILES, NGINX_SENDFILE, Context, Launch, nginx_launch

REDIRECTS = 10_000
BLOCKS = 200

WHAT = f"{REDIRECTS:,} redirects, {BLOCKS} blocks"

OBJECT = ".zeroserve/scripts/50-rules.o"


def write_rules(root: Path) -> None:
    """`_redirects` and `_headers` into a site."""
    moved = (f"/old/page-{n} /new/section/page-{n} 301\n" for n in range(REDIRECTS))
    (root / "_redirects").write_text("".join(moved))
    lines = []
    for name, rows in _blocks():
        lines += [f"/{name}/*", *(f"  {field}: {value}" for field, value in rows)]
    (root / "_headers").write_text("\n".join(lines) + "\n")


def compiled(archive: Path, to: Path) -> None:
    """What `pack` made of them."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile(OBJECT)
        assert member is not None
        to.write_bytes(member.read())


def nginx_rules(context: Context) -> Launch:
    """The same as its documentation has it: a map for the redirects, a location for each block."""
    moved = "".join(f"        /old/page-{n} /new/section/page-{n};\n" for n in range(REDIRECTS))
    http = (
        f"{NGINX_FILES}{NGINX_SENDFILE}\n"
        "    # Room for all of them in buckets of a cache line or two.\n"
        "    map_hash_max_size 65536;\n"
        "    map_hash_bucket_size 128;\n"
        f"    map $uri $moved {{\n{moved}    }}"
    )
    locations = "".join(
        f"        location ^~ /{name}/ {{"
        + "".join(f' add_header {k} "{v}";' for k, v in rows)
        + " }\n"
        for name, rows in _blocks()
    )
    server = (
        f"        root {context.root};\n        if ($moved) {{ return 301 $moved; }}\n{locations}"
    )
    return nginx_launch(context, http, server)


def _blocks() -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            f"section-{n}",
            [("X-Frame-Options", "DENY"), ("Cache-Control", f"public, max-age={n}")],
        )
        for n in range(BLOCKS)
    ]
