"""What the configuration file of a site says, besides pools."""

import dataclasses

from zeroserve.config import values
from zeroserve.config.keys import choice, flag, key, mapping, table, tables, whole
from zeroserve.config.paths import Path
from zeroserve.config.pools import Pool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Maintenance:
    """The site is closed for a while: 503 for everybody else."""

    enabled: bool = key(True, flag, "true, false", "whether it is in force")
    page: str | None = key(
        None, values.page, "a path", "page of the site that is shown; by default a line of text"
    )
    allow: tuple[str, ...] = key((), values.networks, "networks", "who gets the site as always")
    retry_after_s: int = key(600, whole(1, 86_400), "1 to 86400", "when to come again, in seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides requests: the keys of a site's file, without pools."""

    rules: str | None = key(
        None,
        choice("cloudflare", "netlify"),
        "`cloudflare`, `netlify`",
        "whose meaning `_redirects` and `_headers` have where they differ; `cloudflare`",
    )
    clean_urls: bool = key(
        False,
        flag,
        "true, false",
        "`/about` is answered with `about.html`, and `/about.html` sent there",
    )
    spa: str | None = key(
        None,
        values.fallback,
        "true, false, a path",
        "page of a single-page application (`true`: `/index.html`), for navigations to paths that "
        "nothing else answers; what has an extension stays 404",
    )
    listing: bool = key(
        False,
        flag,
        "true, false",
        "list directories without an index: HTML, or JSON for who accepts it",
    )
    error_pages: dict[str, str] = mapping(
        values.error_pages,
        "paths by status",
        "pages for errors: by status (`404`) or class (`5xx`)",
    )
    maintenance: Maintenance | None = table(
        Maintenance, "the site is closed for a while: 503 for everybody else", optional=True
    )
    paths: dict[str, Path] = tables(Path, values.pattern, "what becomes of some paths, by pattern")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shared:
    """What decides requests for all sites of a process, before their own rules."""

    maintenance: Maintenance | None = table(
        Maintenance, "all sites are closed for a while: 503 for everybody else", optional=True
    )
    paths: dict[str, Path] = tables(Path, values.pattern, "what becomes of some paths, by pattern")


__all__ = ["Maintenance", "Pool", "Settings", "Shared"]
