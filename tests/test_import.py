"""``zeroserve import``: what each format becomes, what is left out, and hostile input."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.server import command, no_traceback
from zeroserve import importing
from zeroserve._core import Error
from zeroserve.config import file
from zeroserve.config.pattern import parse
from zeroserve.config.rules import read as rules_of
from zeroserve.importing import patterns, writing
from zeroserve.importing.patterns import Unknown
from zeroserve.importing.result import Imported


def imported(tmp_path: Path, name: str, text: str) -> Imported:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return importing.read(str(path))


def rules(found: Imported) -> list[str]:
    return [writing.rule(one) for one in found.redirects]


def headers(found: Imported) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for block in found.headers:
        lines = [
            f"! {name}" if value is None else f"{name}: {value}" for name, value in block.fields
        ]
        made.setdefault(block.pattern, []).extend(lines)
    return made


def left(found: Imported) -> list[tuple[int, str]]:
    return [(one.place.line, one.what) for one in found.left]


# --- netlify.toml ---------------------------------------------------------------------------------

NETLIFY = """\
[build]
publish = "dist"

[[redirects]]
from = "/old/*"
to = "/new/:splat"

[[redirects]]
from = "/news"
to = "/blog"
status = 302
force = true
query = {id = ":id"}

[[redirects]]
from = "/*"
to = "/index.html"
status = 200

[[redirects]]
from = "/only"
to = "/here"
conditions = {Country = ["de"]}

[[headers]]
for = "/*"
[headers.values]
X-Frame-Options = "DENY"
cache-control = '''
max-age=0,
no-cache'''

[[edge_functions]]
path = "/x"
function = "y"
"""


def test_netlify(tmp_path: Path) -> None:
    found = imported(tmp_path, "netlify.toml", NETLIFY)
    assert rules(found) == [
        "/old/* /new/:splat 301",
        "/news id=:id /blog 302!",
        "/* /index.html 200",
    ]
    assert headers(found) == {"/*": ["X-Frame-Options: DENY", "cache-control: max-age=0, no-cache"]}
    assert left(found) == [(33, "[edge_functions]"), (20, "from = '/only', conditions")]
    assert [one.place.line for one in found.notes] == [1]
    assert [one.place.line for one in found.redirects] == [4, 8, 15]


# --- vercel.json ----------------------------------------------------------------------------------

VERCEL = """\
{
  "cleanUrls": true,
  "redirects": [
    { "source": "/old/:slug", "destination": "/new/:slug" },
    { "source": "/a/:path*", "destination": "https://b.example:8080/:path*", "statusCode": 302 },
    { "source": "/n/:id(\\\\d+)", "destination": "/y" },
    { "source": "/q", "has": [{"type": "query", "key": "x"}], "destination": "/z" }
  ],
  "rewrites": [{ "source": "/(.*)", "destination": "/index.html" }],
  "headers": [
    { "source": "/assets/(.*)", "headers": [{ "key": "Cache-Control", "value": "max-age=1" }] }
  ],
  "functions": {}
}
"""


def test_vercel(tmp_path: Path) -> None:
    found = imported(tmp_path, "vercel.json", VERCEL)
    assert rules(found) == [
        "/old/:slug /new/:slug 308!",
        "/a/* https://b.example:8080/:splat 302!",
        "/a https://b.example:8080/ 302!",
        "/* /index.html 200",
    ]
    assert headers(found) == {"/assets/*": ["Cache-Control: max-age=1"]}
    assert found.settings == {"clean_urls": True}
    assert left(found) == [(6, "/n/:id(\\d+)"), (7, "/q, has"), (13, "functions")]


# --- .htaccess ------------------------------------------------------------------------------------

HTACCESS = r"""
RewriteEngine On
RewriteCond %{HTTPS} off
RewriteRule ^(.*)$ https://%{HTTP_HOST}%{REQUEST_URI} [L,R=301]
RewriteRule ^old/(.*)$ /new/$1 [R=301,L]
RewriteRule ^p/([^/]+)/?$ page-$1 [L]
RewriteRule ^p/([^/]+)$ /page/$1.html [L]
RewriteCond %{QUERY_STRING} x=1
RewriteRule ^q$ /z [R]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /index.html [L]
Redirect permanent /feed \
    /feed.xml
RedirectMatch 302 ^/tag/(.*)\.html$ /tags/$1
ErrorDocument 404 /404.html
Options -Indexes +FollowSymLinks
<IfModule mod_expires.c>
  ExpiresActive On
  ExpiresByType image/png "access plus 1 month"
  ExpiresDefault A60
</IfModule>
<FilesMatch "\.(css|js)$">
  Header set Cache-Control "public, max-age=10"
</FilesMatch>
<Files "secret.txt">
  Require all denied
</Files>
<If "%{HTTP_HOST} == 'x'">
  Header set X-Y z
</If>
Header always set X-Frame-Options "DENY"
Header set X-When %t
php_value upload_max_filesize 10M
"""


def test_htaccess(tmp_path: Path) -> None:
    found = imported(tmp_path, ".htaccess", HTACCESS)
    assert rules(found) == [
        "/old/* /new/:splat 301!",
        "/p/:p1/ /page-:p1 200!",
        "/p/:p1 /page-:p1 200!",
        "/p/:p1 /page/:p1.html 200!",
        "/feed /feed.xml 301!",
        "/feed/* /feed.xml/:splat 301!",
        "/tag/*.html /tags/:splat 302!",
    ]
    assert headers(found) == {
        "/*.png": ["! Cache-Control", "Cache-Control: max-age=2592000"],
        "/*": ["Cache-Control: max-age=60", "X-Frame-Options: DENY"],
        "/*.css": ["! Cache-Control", "Cache-Control: public, max-age=10"],
        "/*.js": ["! Cache-Control", "Cache-Control: public, max-age=10"],
    }
    assert found.settings == {
        "spa": "/index.html",
        "error_pages": {"404": "/404.html"},
        "listing": False,
    }
    nobody = {"deny": ["0.0.0.0/0", "::/0"]}
    assert found.paths == {"/secret.txt": nobody, "/*/secret.txt": nobody}
    assert [line for line, _ in left(found)] == [8, 9, 29, 33, 34]


BCRYPT = "$2y$05$" + "a" * 53


def test_htaccess_passwords(tmp_path: Path) -> None:
    (tmp_path / ".htpasswd").write_text(f"ada:{BCRYPT}\nbob:$apr1$x$y\n")
    text = 'AuthType Basic\nAuthName "Members only"\nAuthUserFile .htpasswd\nRequire valid-user\n'
    found = imported(tmp_path, ".htaccess", text)
    assert found.paths["/*"]["basic_auth"] == {"realm": "Members only", "users": {"ada": BCRYPT}}
    assert len(found.left) == 1  # bob
    (tmp_path / ".htpasswd").write_text("bob:$apr1$x$y\n")
    assert imported(tmp_path, ".htaccess", text).paths == {"/*": {"deny": ["0.0.0.0/0", "::/0"]}}


@pytest.mark.parametrize(
    "text",
    [
        "AuthType Basic\nAuthName x\nAuthUserFile /etc/passwd\nRequire valid-user",
        "AuthType Digest\nAuthName x\nAuthUserFile p\nRequire valid-user",
        "Require group x",
        "Require all denied",
        "Order allow,deny\nDeny from all",
        "<Limit GET>\nRequire ip 10.0.0.1\n</Limit>",
        "RewriteRule ^(?=x) - [F]",
    ],
)
def test_htaccess_guards_stay_closed(tmp_path: Path, text: str) -> None:
    assert imported(tmp_path, ".htaccess", text).paths["/*"]["deny"] == ["0.0.0.0/0", "::/0"]


# --- nginx.conf -----------------------------------------------------------------------------------


def server(inside: str) -> str:
    return f"events {{}}\nhttp {{\nserver {{\n{inside}\n}}\n}}\n"


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        ("location = /a { return 301 /b; }", ["/a /b 301!"]),
        ("location /a/ { return 302 https://x.example$request_uri; }",
         ["/a/* https://x.example/a/:splat 302!"]),
        ("location /a/ { return 307 $scheme://$host/b/; }", ["/a/* /b/ 307!"]),
        ("location ~ ^/u/([^/]+)$ { return 301 /users/$1; }", ["/u/:p1 /users/:p1 301!"]),
        ("rewrite ^/x/(.*)$ /y/$1 permanent;", ["/x/* /y/:splat 301!"]),
        ("rewrite ^/x$ /y? redirect;", ["/x /y 302!"]),
        ("rewrite ^/(a|b)/ /y last;", ["/a/* /y 200!", "/b/* /y 200!"]),
        ("location /old/ { rewrite ^/old/(.*)$ /new/$1 break; }", ["/old/* /new/:splat 200!"]),
        ("location /app/ { try_files $uri /app/index.html; }", ["/app/* /app/index.html 200"]),
        ("location /l/ { return 301 /m; } location = /l/k { return 302 /n; }",
         ["/l/k /n 302!", "/l/* /m 301!"]),
        ("location /l/ { return 301 /m; } location /l/k/ { return 302 /n; }",
         ["/l/k/* /n 302!", "/l/* /m 301!"]),
        ("return 301 https://x.example$request_uri; location /a { return 302 /b; }",
         ["/* https://x.example/:splat 301!"]),
    ],
)  # fmt: skip
def test_nginx_redirects(tmp_path: Path, inside: str, wanted: list[str]) -> None:
    found = imported(tmp_path, "nginx.conf", server(inside))
    assert (rules(found), found.left) == (wanted, [])


@pytest.mark.parametrize(
    "inside",
    [
        "rewrite ^/x/(\\d+)$ /y/$1 permanent;",
        "rewrite ^/x/(.*)/(.*)$ /y permanent;",
        "location /a/ { rewrite ^/b/(.*)$ /c last; }",
        "location /a/ { return 301 /b; } location /a/keep/ { }",
        "location = /a { return 200 ok; }",
        "location /a { return 301 /b/$arg_x; }",
        "location ^~ /a/ { } location /a/b/ { return 301 /c; }",
        "if ($host = x) { return 301 /b; }",
        "location /a { try_files $uri @b; } location @b { proxy_pass http://127.0.0.1:1; }",
        "location /a { sub_filter x y; }",
        "add_header X $host;",
        "types { text/plain x; }",
    ],
)
def test_nginx_leaves_out(tmp_path: Path, inside: str) -> None:
    found = imported(tmp_path, "nginx.conf", server(inside))
    assert rules(found) == [] and found.headers == []
    assert len(found.left) == 1
    assert found.left[0].place.line == 4


@pytest.mark.parametrize(
    "inside",
    [
        "location /a/ { auth_request /auth; }",
        "location /a/ { internal; }",
        "location /a/ { return 403; }",
        "location /a/ { deny all; }",
        "location /a/ { deny 10.0.0.1; allow 10.0.0.0/8; deny all; }",
        "location /a/ { auth_basic x; auth_basic_user_file /etc/shadow; }",
        "location /a/ { proxy_pass http://$backend; }",
        "location /a/ { fastcgi_pass unix:/run/php; }",
        "location /a/ { alias /srv/elsewhere/; }",
        "location /a/ { satisfy any; allow 10.0.0.1; deny all; }",
        "location /a/ { return 404; }",
        "location /a/ { return 403 no; }",
        "location /a/ { if ($cookie_key != x) { return 403; } }",
    ],
)
def test_nginx_guards_stay_closed(tmp_path: Path, inside: str) -> None:
    found = imported(tmp_path, "nginx.conf", server(inside))
    assert found.paths["/a/*"]["deny"] == ["0.0.0.0/0", "::/0"]


def test_nginx_guards_outside_of_servers(tmp_path: Path) -> None:
    inside = "location /a/ { expires 1h; }"
    found = imported(tmp_path, "nginx.conf", f"http {{ deny all; {server(inside)} }}")
    assert found.paths["/*"]["deny"] == ["0.0.0.0/0", "::/0"]
    text = f"http {{ allow 10.0.0.0/8; deny all; {server(inside)} }}"
    assert imported(tmp_path, "nginx.conf", text).paths["/*"]["allow"] == ["10.0.0.0/8"]
    own = server("deny 192.0.2.1;")
    found = imported(tmp_path, "nginx.conf", f"http {{ deny all; {own} }}")
    assert found.paths["/*"]["deny"] == ["192.0.2.1/32"]


def test_nginx_conditions_on_what_anybody_can_send(tmp_path: Path) -> None:
    found = imported(tmp_path, "nginx.conf", server("if ($http_user_agent ~ bot) { return 403; }"))
    assert found.left and not found.paths


@pytest.mark.parametrize(
    "text",
    [
        "RedirectMatch 403 ^/a/.*$",
        "Redirect 403 /a",
        "Redirect gone /a",
        "RewriteEngine On\nRewriteCond %{REMOTE_USER} !ada\nRewriteRule ^a/ - [F]",
    ],
)
def test_htaccess_refusals_stay(tmp_path: Path, text: str) -> None:
    found = imported(tmp_path, ".htaccess", f"{text}\n")
    assert found.left
    assert any(path.startswith("/a") and "deny" in keys for path, keys in found.paths.items())


@pytest.mark.parametrize(
    "more", ["status = 401", "status = 403", 'status = 200\nconditions = { Role = ["admin"] }']
)
def test_netlify_guards_stay_closed(tmp_path: Path, more: str) -> None:
    text = f'[[redirects]]\nfrom = "/a/*"\nto = "/a/:splat"\n{more}\n'
    found = imported(tmp_path, "netlify.toml", text)
    assert found.left and found.paths["/a/*"]["deny"] == ["0.0.0.0/0", "::/0"]


def test_nginx_paths(tmp_path: Path) -> None:
    text = """
    client_max_body_size 10m; autoindex on; error_page 500 502 /50x.html;
    location /office/ { allow 10.0.0.0/8; allow 192.0.2.1; deny all; }
    location /api/ { proxy_pass http://app/v1/; proxy_set_header Host $host; }
    location /raw { proxy_pass http://127.0.0.1:9100; proxy_set_header X-Key k; }
    location / { try_files $uri $uri/ /index.html; }
    """
    upstream = "upstream app { ip_hash; server 127.0.0.1:1 weight=2; server 127.0.0.1:2 backup; }\n"
    found = imported(tmp_path, "nginx.conf", upstream + server(text))
    assert found.settings == {
        "listing": True,
        "error_pages": {"500": "/50x.html", "502": "/50x.html"},
        "spa": "/index.html",
    }
    assert found.paths == {
        "/*": {"max_body": 10 << 20},
        "/office/*": {"allow": ["10.0.0.0/8", "192.0.2.1/32"]},
        "/api/*": {"proxy": "pool:app", "rewrite": "/v1/:splat"},
        "/raw*": {
            "proxy": {
                "to": "http://127.0.0.1:9100",
                "headers": {"Host": "127.0.0.1:9100", "X-Key": "k"},
            }
        },
    }
    assert found.pools == {
        "app": {
            "upstreams": [
                {"url": "http://127.0.0.1:1", "weight": 2},
                {"url": "http://127.0.0.1:2", "backup": True},
            ],
            "policy": "hash",
            "hash": "source",
        }
    }
    assert found.left == []


def test_nginx_headers_of_inner_locations_replace_those_outside(tmp_path: Path) -> None:
    text = """
    add_header A 1 always; add_header B 1 always;
    location /x/ { add_header A 2 always; }
    location /x/same/ { }
    location = /y.css { expires -1; }
    location ~ \\.(css|js)$ { expires 1d; add_header A 3 always; }
    """
    found = imported(tmp_path, "nginx.conf", server(text))
    assert headers(found) == {
        "/*": ["A: 1", "B: 1"],
        "/x/*": ["! A", "! B", "A: 2"],
        "/x/same/*": ["! A", "! B", "A: 1", "B: 1"],
        "/*.css": ["! A", "! B", "Cache-Control: max-age=86400", "A: 3"],
        "/*.js": ["! A", "! B", "Cache-Control: max-age=86400", "A: 3"],
        "/y.css": ["! A", "! B", "! Cache-Control", "Cache-Control: no-cache", "A: 1", "B: 1"],
    }


def test_nginx_reads_only_its_own_directory(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "conf.d").mkdir(parents=True)
    (etc / "conf.d/a.conf").write_text("server { location = /a { return 301 /b; } }\n")
    (tmp_path / "out.conf").write_text("location = /c { return 301 /d; }\n")
    (etc / "conf.d/link.conf").symlink_to(tmp_path / "out.conf")
    (etc / "nginx.conf").write_text(
        "http {\ninclude mime.types;\ninclude conf.d/*.conf;\n"
        f"include ../out.conf;\ninclude {tmp_path}/*.conf;\ninclude gone.conf;\n}}\n"
    )
    found = importing.read(str(etc / "nginx.conf"))
    assert rules(found) == ["/a /b 301!"]
    assert str(found.redirects[0].place) == "conf.d/a.conf:1"
    assert [one.place.line for one in found.left] == [3, 4, 5, 6]
    assert len(importing.read(str(etc / "nginx.conf"), outside=True).left) < 4


def test_nginx_includes_end(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("include nginx.conf;\nlocation = /a { return 301 /b; }\n")
    found = importing.read(str(path))
    assert len(found.redirects) <= 64 and len(found.left) == 1


def test_nginx_servers(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(
        "server { listen 80; server_name a b; return 301 https://$host$request_uri; }\n"
        "server { server_name a; location = /x { return 301 /a; } }\n"
        "server { server_name b; location = /x { return 301 /b; } }\n"
    )
    found = importing.read(str(path))
    assert rules(found) == ["/x /a 301!"]
    assert left(found) == [(3, "server b")]
    assert "--server b" in found.left[0].why
    assert rules(importing.read(str(path), server="b")) == ["/x /b 301!"]
    with pytest.raises(Error, match="no server of that name: 'c'"):
        importing.read(str(path), server="c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server {", "nginx.conf:1: unexpected end of file"),
        ("server { } }", "nginx.conf:1: unexpected"),
        ("location /a", "a directive does not end"),
        ("a {" * 5000, "nested too deeply"),
    ],
)
def test_nginx_broken(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Error) as caught:
        imported(tmp_path, "nginx.conf", text)
    assert said in str(caught.value.args[0])


# --- the command ----------------------------------------------------------------------------------


def test_command(tmp_path: Path) -> None:
    source = tmp_path / "vercel.json"
    source.write_text('{"redirects": [{"source": "/a", "destination": "/b"}], "cleanUrls": true}')
    done = command("import", source, "-o", tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")
    made = (tmp_path / "site/_redirects").read_text()
    assert made.splitlines()[-1] == "/a /b 308!"
    config = tomllib.loads((tmp_path / "site/.zeroserve/zeroserve.toml").read_text())
    assert config["clean_urls"] is True
    again = command("import", source, "-o", tmp_path / "site")
    assert again.returncode == 1 and "'_redirects'" in again.stderr
    printed = command("import", source, "--stdout")
    assert printed.returncode == 0 and made in printed.stdout


def test_command_left_out(tmp_path: Path) -> None:
    source = tmp_path / ".htaccess"
    source.write_text("Redirect /a /b\nSetEnv X y\n")
    done = command("import", source, "-o", tmp_path / "site")
    assert done.returncode == 3
    assert f"{source}:2: left out: SetEnv X y: no counterpart" in done.stderr
    assert (tmp_path / "site/_redirects").exists()


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("netlify.toml", "x = ", 1, "is not TOML"),
        ("vercel.json", "{", 1, "is not JSON"),
        ("vercel.json", "[]", 1, "is not a JSON object"),
        ("vercel.json", "[" * 100_000, 1, "is not JSON"),
        ("Caddyfile", "", 1, "not a format that can be imported"),
        ("nginx.conf", "}", 1, "not an nginx configuration"),
        (".htaccess", "\n" * 30_000, 1, "more than 20,000 lines"),
    ],
)
def test_refusals(tmp_path: Path, name: str, text: str, code: int, said: str) -> None:
    (tmp_path / name).write_text(text)
    done = command("import", tmp_path / name, "-o", tmp_path / "site")
    assert done.returncode == code and said in done.stderr
    no_traceback(done.stderr)
    assert not (tmp_path / "site").exists()


def test_wrong_usage(tmp_path: Path) -> None:
    assert command("import").returncode == 2
    assert command("import", "x", "--stdout", "-o", "y").returncode == 2
    assert command("import", tmp_path / "gone.conf").returncode == 1


# --- hostile input --------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "location",
        "=",
        "~",
        "~*",
        "^~",
        "/",
        "/a/",
        "/a",
        "/*.css",
        "^/(.*)$",
        "\\.(css|js)$",
        "{",
        "}",
        ";",
        "return",
        "301",
        "302",
        "/b",
        "$1",
        "$uri",
        "if",
        "(",
        "http://x",
        "rewrite",
        "permanent",
        "last",
        "add_header",
        "X",
        "Y",
        "expires",
        "1d",
        "max",
        "proxy_pass",
        "upstream",
        "server",
        "http",
        ")",
        "auth_basic",
        "allow",
        "deny",
        "all",
        "10.0.0.1",
        "try_files",
        "=404",
        "@x",
        "include",
        "*.conf",
        "error_page",
        "404",
        "#",
        '"',
        "'",
        "\\",
        "RewriteRule",
        "RewriteCond",
        "%{HTTPS}",
        "off",
        "[R=301,L]",
        "Header",
        "set",
        "unset",
        "<Files",
        ">",
        "</Files>",
        "<IfModule>",
        "</IfModule>",
        "Redirect",
        "Require",
        "ErrorDocument",
        "ExpiresByType",
        "image/png",
        "[[redirects]]",
        "from",
        "to",
        "=",
        '"/x"',
        "[[headers]]",
        "for",
        "[headers.values]",
        "status",
        "\x00",
        "\x7f",
        "é",
        ":splat",
        ":x",
        "*",
        ":x*",
        '{"redirects":',
        "[",
        '{"source":',
        '"/:a"',
        ",",
        '"destination"',
        ":",
        "}",
        "]",
        '"headers"',
        "true",
        "null",
        "1",
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(importing.FORMATS),
    text=st.one_of(
        st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", ""])), max_size=60).map(
            lambda pairs: "".join(word + gap for word, gap in pairs)
        ),
        st.text(max_size=200),
    ),
)
@example(
    name="vercel.json", text='{"redirects": [{"source": "/\\ud800", "destination": "/\\ud800"}]}'
)
@example(name="netlify.toml", text="redirects = 1\nheaders = [1]\nbuild = 2")
@example(name=".htaccess", text='"')
@example(name=".htaccess", text="</x>\n<x\n<>\n")
def test_nothing_crashes_and_what_is_written_is_read(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = importing.read(str(path))
    except Error as error:
        assert "\n" not in str(error.args[0])
        return
    made = writing.files(found, str(path))
    reading = rules_of(lambda name: made[name].encode() if name in made else None)
    assert reading.mistakes == []
    for one in made.values():
        assert one.isprintable() or set(one) - {"\n"} <= set(filter(str.isprintable, one))
    if writing.CONFIG in made:
        assert file.read(made[writing.CONFIG].encode(), "")[1].found == []


@settings(max_examples=500)
@given(st.text(alphabet="^$/.*+?()[]|\\-abc1:,{}", max_size=20), st.booleans())
def test_expressions_become_patterns_or_are_refused(expression: str, rooted: bool) -> None:
    try:
        made = patterns.of_regex(expression, rooted=rooted)
        for pattern in made:
            patterns.check(pattern)
    except Unknown as error:
        assert error.args[0]
        return
    for pattern in made:
        assert pattern.text.startswith("/") and pattern.text.count("*") <= 1


PIECES = st.sampled_from(
    [
        *["/a", "/b", "a", "/", "-", "\\.html", "/?", "a?", "(x|yz)", "(?:x|y)", "(de|en)", "/(b)"],
        *[
            "(.*)",
            "(.*?)",
            ".*",
            "/(.*)",
            "([^/]+)",
            "/([^/]+)",
            "(/.*)?",
            "/[^/]+",
            "jpe?g",
            "\\.(css|js)",
        ],
    ]
)
EXPRESSIONS = st.builds(
    lambda start, pieces, end: start + "".join(pieces) + end,
    st.sampled_from(["^", "^/", ""]),
    st.lists(PIECES, max_size=4),
    st.sampled_from(["$", ""]),
)
PATHS = st.lists(
    st.sampled_from(["/", "/a", "/b", "a", "x", "yz", ".html", "-", "/de", "jpg", ".css", "/x/y"]),
    max_size=6,
).map(lambda parts: re.sub("/+", "/", "/" + "".join(parts)))


@settings(max_examples=3000)
@given(EXPRESSIONS, PATHS, st.booleans())
@example("^(.*)$", "/a/b", True)
@example("^(.*)\\.html$", "/a/b.html", True)
@example("/a$", "/a", True)
@example("^/a(/.*)?$", "/a/b", True)
@example("^(.*)$", "/a/b", False)
def test_patterns_match_what_expressions_do(expression: str, path: str, rooted: bool) -> None:
    """And stand for the same: groups of the expression are what the pattern found."""
    try:
        made = [patterns.check(one) for one in patterns.of_regex(expression, rooted=rooted)]
    except Unknown:
        return
    match = re.search(expression, path if rooted else path[1:])
    found = [(one, parse(one.text).match("http", "site", path)) for one in made]
    matching = [(one, stands) for one, stands in found if stands is not None]
    assert bool(matching) == bool(match), made
    if match is None or not expression.startswith("^"):
        return
    pattern, stands = matching[0]
    assert stands is not None
    for number, text in pattern.groups.items():
        filled = text
        for name, value in stands.items():
            filled = filled.replace(f":{name}", value)
        assert filled == (match[int(number)] or ""), (pattern, number)
