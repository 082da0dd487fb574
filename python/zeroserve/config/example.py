"""The file that ``zeroserve init`` writes: every table once, commented out."""

TEXT = """\
# What this site does besides sending its files. Each line that is commented out shows what can be
# said; values are examples. `zeroserve check` finds mistakes, with their lines, and
# `zeroserve explain . GET /path` shows what a request gets, and why.

# /about is answered with about.html, and /about.html sent there.
#clean_urls = true

# A single-page application: navigations to paths that nothing else answers get this page.
# A missing file, such as /assets/x.js, stays 404.
#spa = "/index.html"

# Whose meaning _redirects and _headers have where they differ.
#rules = "cloudflare"

# Pages for errors. A 404.html needs no line.
#[error_pages]
#404 = "/errors/not-found.html"
#5xx = "/errors/sorry.html"

# The site is closed for a while.
#[maintenance]
#enabled = true
#page = "/maintenance.html"
#allow = ["192.0.2.0/24"]
#retry_after_s = 600

# What becomes of some paths. `*` is anything, slashes included, `:name` one part of a path. Of
# several patterns that match, all count: for the same key, the narrowest one decides.
#[paths."/*"]
#headers = { X-Content-Type-Options = "nosniff", Referrer-Policy = "no-referrer" }

# For a year, where the name of a file has a hash of its content; others are asked about each time.
#[paths."/assets/*"]
#cache = "immutable"

#[paths."/blog/:year/:name"]
#redirect = { to = "/articles/:name", status = 301 }

# Zarr, Parquet, PMTiles ... read by pages of other sites. `listing` lists directories that have no
# index.html, as HTML or JSON; as a line at the top it does so everywhere.
#[paths."/data/*"]
#cors = "data"
#cache = 3600
#listing = true

# `zeroserve hash-password` makes the hash; "${NAME}" takes it from the environment.
#[paths."/private/*"]
#deny = ["203.0.113.7"]
#allow = ["192.0.2.0/24", "2001:db8::/32"]
#rate_limit = { per_minute = 60 }
#basic_auth = { realm = "private", users = { ada = "${ADA_HASH}" } }
#cache = "no-store"

# An application, below /api, which it does not know of.
#[paths."/api/*"]
#rewrite = "/:splat"
#proxy = "pool:app"
#max_body = "10 MiB"
#methods = ["GET", "POST", "PUT", "DELETE"]

#[pools.app]
#upstreams = ["http://127.0.0.1:9000", "http://127.0.0.1:9001"]
#policy = "least_connections"
#health = { path = "/health" }
"""


def text() -> str:
    """A file with all tables, which says nothing as long as its lines are comments."""
    return TEXT


def uncommented() -> str:
    """The same with its lines in force: they go together, and are without faults."""
    lines = (
        line.removeprefix("#") if line[1:2] not in ("", " ") else line
        for line in TEXT.splitlines()
        if line
    )
    return "\n".join(lines) + "\n"
