"""Rules of zeroserve.toml as a script of one's own, and the lines that decided a request."""

from pathlib import Path

from support.configured import Both, site
from support.server import command

TOML = """\
# Kept: what a person has written.
clean_urls = true

[paths."/old/*"]
redirect = { to = "/new/:splat", status = 301 }  # why

[paths."/admin"]
methods = [
  "GET",
  "PUT",
]

[pools.app]
upstreams = [
  "http://127.0.0.1:9000",
]

[paths."/assets/*"]
cache = "immutable"

[pools.app.retries]
count = 1
"""


def test_an_ejected_site_behaves_the_same(tmp_path: Path) -> None:
    folder = site(tmp_path, TOML)
    (folder / "_headers").write_text("/*\n  X-A: b\n")

    def answers() -> list[tuple[int, dict[str, str], bytes]]:
        ask = Both(folder)
        paths = ("/about", "/about.html", "/old/x?y", "/admin/", "/assets/app.3f2a9c1b.js", "/none")
        found = [ask(path) for path in paths] + [ask("/ADMIN/", "DELETE")]
        return [(one.status, one.headers, one.body) for one in found]

    before = answers()
    shown = command("eject", folder, "--stdout")
    assert shown.returncode == 0
    done = command("eject", folder, "--yes")
    assert done.returncode == 0, done.stderr
    assert "commented out the rules in .zeroserve/zeroserve.toml" in done.stderr
    script = folder / ".zeroserve" / "scripts" / "50-rules.py"
    assert script.read_text() == shown.stdout
    assert not (folder / "_headers").exists()
    assert answers() == before
    left = (folder / ".zeroserve" / "zeroserve.toml").read_text()
    assert left.splitlines()[0] == "# Kept: what a person has written."
    assert "#clean_urls = true" in left
    assert '#  "PUT",' in left
    assert '\nupstreams = [\n  "http://127.0.0.1:9000",\n]\n' in left
    assert "\n[pools.app.retries]\ncount = 1\n" in left
    assert command("check", folder).stdout == "0 errors, 0 warnings\n"
    again = command("eject", folder, "--yes")
    assert (again.returncode, "there are no rules" in again.stderr) == (1, True)


def test_what_can_not_be_told_apart_is_left_alone(tmp_path: Path) -> None:
    folder = site(tmp_path, 'clean_urls = true\npools.app.upstreams = ["http://127.0.0.1:9000"]\n')
    before = (folder / ".zeroserve" / "zeroserve.toml").read_text()
    done = command("eject", folder, "--yes")
    assert done.returncode == 1
    assert "move [pools] to the end" in done.stderr
    assert (folder / ".zeroserve" / "zeroserve.toml").read_text() == before
    assert not (folder / ".zeroserve" / "scripts" / "50-rules.py").exists()


def test_explain_names_the_lines(tmp_path: Path) -> None:
    folder = site(tmp_path, TOML)
    said = command("explain", folder, "/old/x").stdout
    assert "rule zeroserve.toml:4: /old/*: redirect\n" in said
    assert "301" in said
    said = command("explain", folder, "/Admin.html").stdout
    assert "rule zeroserve.toml:7: /admin: methods\n" in said
    said = command("explain", folder, "/").stdout
    assert "zeroserve.toml" not in said
