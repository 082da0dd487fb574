"""Content negotiation: precompressed variants chosen by Accept-Encoding."""

from pathlib import Path

import pytest
from support import sites
from support.server import Server, running
from support.sites import FILES, SCRIPT, STYLE, decode
from support.wire import fetch


def coding(site: Server, accept: str | None, target: str = "/app.js") -> str:
    """Which form of the file is sent; its bytes and length are checked on the way."""
    headers = {} if accept is None else {"Accept-Encoding": accept}
    response = fetch(site.address, target, headers)
    assert response.status == 200
    assert response.need("content-length") == str(len(response.body))
    chosen = response.header("content-encoding")
    assert decode(chosen, response.body) == FILES[target[1:]]
    assert "accept-encoding" in response.tokens("vary")
    return chosen or "identity"


@pytest.mark.parametrize(
    ("accept", "allowed"),
    [
        (None, "identity"),
        ("", "identity"),
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip identity"),
        ("deflate", "identity"),
        ("compress, deflate", "identity"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "br zstd"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0", "identity"),
        ("gzip;q=0.000", "identity"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;Q=0", "identity"),
        ("gzip ; q=0", "identity"),
        ("gzip;q=0, br;q=0, zstd;q=0", "identity"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("br;q=0.9,gzip;q=0.1", "br"),
        ("zstd;q=0.5, br;q=0.4, gzip;q=0.3", "zstd"),
        ("gzip;q=1.0, br;q=0.999", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br zstd gzip"),
        ("*;q=0", "identity"),
        ("*;q=0.5", "br zstd gzip identity"),
        ("gzip;q=0, *", "br zstd"),
        ("br;q=0, zstd;q=0, *", "gzip"),
        ("identity;q=0, *", "br zstd gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=1.0", "gzip"),
        ("identity;q=0.5, gzip;q=0.2", "identity"),
        (" gzip ,, , ", "gzip"),
        ("gzip,\tbr;q=0", "gzip"),
        ("notgzip", "identity"),
        ("gzipped, brr", "identity"),
        ("gzip;q=nonsense", "identity gzip"),
        ("gzip;q=2", "identity gzip"),
        (";q=1", "identity"),
        ("\xff\xfe", "identity"),
    ],
)
def test_choice(site: Server, accept: str | None, allowed: str) -> None:
    assert coding(site, accept) in allowed.split()


def test_only_what_there_is(kind: sites.Kind, site: Server) -> None:
    """``pack`` may add forms; a tar and a directory have the one that was put there."""
    allowed = "br" if kind == "packed" else "identity"
    assert coding(site, "br", "/style.css") == allowed
    assert coding(site, "gzip, br;q=0.5", "/style.css") == "gzip"


@pytest.mark.parametrize("accept", ["identity;q=0", "*;q=0, br;q=0", "identity;q=0, deflate"])
def test_identity_refused(site: Server, accept: str) -> None:
    """Nothing acceptable: 406, or what there is (RFC 9110 section 12.5.3 allows both)."""
    response = fetch(site.address, "/hello.txt", {"Accept-Encoding": accept})
    assert response.status in (200, 406)
    if response.status == 200:
        assert response.body == FILES["hello.txt"]


def test_several_field_lines_are_one_list(site: Server) -> None:
    headers = {"Accept-Encoding": "gzip;q=0.5", "accept-encoding": "br"}
    assert fetch(site.address, "/app.js", headers).header("content-encoding") == "br"


@pytest.mark.parametrize("accept", ["br", "zstd", "gzip"])
def test_a_variant_has_its_own_validator(site: Server, accept: str) -> None:
    identity = fetch(site.address, "/app.js")
    headers = {"Accept-Encoding": accept}
    variant = fetch(site.address, "/app.js", headers)
    assert variant.header("content-encoding") == accept
    assert variant.need("etag") != identity.need("etag")
    assert not variant.need("etag").startswith("W/")
    assert variant.header("content-type") == identity.header("content-type")
    again = fetch(site.address, "/app.js", {**headers, "If-None-Match": variant.need("etag")})
    assert again.status == 304
    assert again.need("etag") == variant.need("etag")
    assert again.header("content-encoding") is None, "RFC 9110 section 15.4.5"
    assert "accept-encoding" in again.tokens("vary")
    other = fetch(site.address, "/app.js", {**headers, "If-None-Match": identity.need("etag")})
    assert other.status == 200
    assert other.header("content-encoding") == accept


def test_vary_is_on_every_answer_about_a_file_with_variants(site: Server) -> None:
    etag = fetch(site.address, "/app.js").need("etag")
    for headers in ({}, {"If-None-Match": etag}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}):
        for method in ("GET", "HEAD"):
            response = fetch(site.address, "/app.js", headers, method=method)
            assert response.status in (200, 206, 304)
            assert "accept-encoding" in response.tokens("vary"), response


def test_the_length_is_that_of_the_variant(site: Server) -> None:
    """A compressed body cut to the length of the original, or the other way round."""
    for accept in ("gzip", "br", "zstd"):
        headers = {"Accept-Encoding": accept}
        head = fetch(site.address, "/app.js", headers, method="HEAD")
        get = fetch(site.address, "/app.js", headers)
        assert head.need("content-length") == str(len(get.body))
        assert len(get.body) < len(SCRIPT)


def test_head_of_identity_has_its_length(site: Server) -> None:
    """DuckDB and fsspec ask like this and take the length for that of the file."""
    for headers in ({}, {"Accept-Encoding": "identity"}):
        response = fetch(site.address, "/app.js", headers, method="HEAD")
        assert response.need("content-length") == str(len(SCRIPT))
        assert response.header("content-encoding") is None


@pytest.mark.parametrize("name", ["table.parquet", "data.bin", "big.bin"])
def test_data_files_are_never_encoded(site: Server, name: str) -> None:
    for accept in ("gzip", "br", "zstd", "*"):
        response = fetch(site.address, f"/{name}", {"Accept-Encoding": accept})
        assert response.header("content-encoding") is None
        assert response.body == FILES[name]


def test_a_sibling_asked_for_by_name_is_a_file(site: Server) -> None:
    """Then its coding is its content, not a transport matter."""
    response = fetch(site.address, "/app.js.gz", {"Accept-Encoding": "gzip"})
    assert response.status == 200
    assert response.header("content-encoding") is None
    assert response.body == FILES["app.js.gz"]


def test_a_sibling_alone_is_served_to_those_who_accept_it(site: Server) -> None:
    """Space is saved by keeping only the compressed form; Debian does it in its documentation.

    To who can not decode it the file is missing. A range of it is never sent.
    """
    response = fetch(site.address, "/lonely.html", {"Accept-Encoding": "gzip, br"})
    assert (response.status, response.header("content-encoding")) == (200, "gzip")
    assert response.body == FILES["lonely.html.gz"]
    assert response.media_type == "text/html"
    assert "accept-encoding" in response.tokens("vary")
    ranged = fetch(site.address, "/lonely.html", {"Accept-Encoding": "gzip", "Range": "bytes=0-1"})
    assert ranged.status == 404 or ranged.body == response.body
    for headers in ({}, {"Accept-Encoding": "br"}, {"Accept-Encoding": "gzip;q=0"}):
        response = fetch(site.address, "/lonely.html", headers)
        assert response.status == 404
        assert response.body == FILES["404.html"]
    assert fetch(site.address, "/lonely.html.gz").body == FILES["lonely.html.gz"]


def test_pack_keeps_only_what_saves(tmp_path: Path) -> None:
    """Forms that save less than a tenth are not worth a Vary."""
    files = {"noise.txt": sites.noise(20_000), "tiny.txt": b"x", "text.txt": STYLE}
    with running(sites.make("packed", tmp_path, files), "--threads", "1") as server:
        for name, chosen in (("noise.txt", None), ("tiny.txt", None), ("text.txt", "gzip")):
            response = fetch(server.address, f"/{name}", {"Accept-Encoding": "gzip"})
            assert response.header("content-encoding") == chosen
            assert decode(chosen, response.body) == files[name]


def test_pack_without_compression(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"text.txt": STYLE})
    packed = sites.pack(tree, tmp_path / "site.tar", "--no-compress")
    with running(packed, "--threads", "1") as server:
        response = fetch(server.address, "/text.txt", {"Accept-Encoding": "gzip, br, zstd"})
        assert response.header("content-encoding") is None
        assert response.body == STYLE
