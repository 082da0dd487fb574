"""`_redirects` and `_headers`: from the files to answers."""

from pathlib import Path

from zeroserve.config import emit, rules
from zeroserve.testing import Client


def site(tmp_path: Path, redirects: str = "", headers: str = "") -> Path:
    (tmp_path / "index.html").write_text("<h1>home</h1>")
    if redirects:
        (tmp_path / "_redirects").write_text(redirects)
    if headers:
        (tmp_path / "_headers").write_text(headers)
    return tmp_path


def test_the_script_does_what_the_files_say(tmp_path: Path) -> None:
    where = site(
        tmp_path,
        "/old /new 301\n/blog/* /news/:splat\n",
        "/*\n  X-Frame-Options: DENY\n",
    )
    scripts = where / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "50-rules.py").write_text(emit.script(rules.of_directory(str(where))))
    for engine in ("native", "cpython"):
        client = Client(where, engine=engine)
        moved = client.get("/old?a=b")
        assert (moved.status, moved.headers["location"]) == (301, "/new?a=b")
        assert client.get("/blog/a/b%20c").headers["location"] == "/news/a/b%20c"
        assert client.get("/").headers["x-frame-options"] == "DENY"
