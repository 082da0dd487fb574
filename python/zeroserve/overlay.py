"""The page that a browser on the developer's machine gets while a site's last state is refused."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --ground: #fbfaf7; --ink: #1d1f21; --dim: #5d6166;
  --line: #d9d5cb; --mark: #b3261e; --sheet: #fff }
@media (prefers-color-scheme: dark) { :root { --ground: #17191c; --ink: #e9e7e2; --dim: #a3a7ad;
  --line: #34383d; --mark: #ff8a7a; --sheet: #1f2226 } }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.5rem }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; color: var(--mark) }
p { margin: 0 0 1.25rem; color: var(--dim) }
pre { margin: 0 0 1rem; padding: 1rem; overflow-x: auto; background: var(--sheet);
  border: 1px solid var(--line); border-left: 3px solid var(--mark); border-radius: 4px;
  font: 14px/1.5 ui-monospace, monospace; tab-size: 4 }
"""


def page(site: str, blocks: list[str]) -> str:
    """A page about ``site`` with one block of text for each problem; all of it is escaped."""
    shown = "\n".join(f"<pre>{escape(block)}</pre>" for block in blocks)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(site)}: refused</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{escape(site)} was refused</h1>\n"
        "<p>All else is still served as it was before the last change. This page loads itself "
        "anew when that is repaired.</p>\n"
        f"{shown}\n</main></body></html>\n"
    )
