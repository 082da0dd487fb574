"""The chart: server CPU time per request, a panel of bars for each size, as SVG.

Each panel has its own scale, since a response of 1 MiB costs some thirty times one of 174 B.
Colours are a style sheet in the file, which follows the reader's light or dark setting.
"""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from bench.compare import Comparison
from bench.stats import Spread

WIDTH = 760
LEFT, RIGHT = 124, 24
# Room to the right of the longest bar for its figure.
FIGURE = 92
BAR, GAP = 16, 8
TOP, PANEL_TOP, PANEL_BOTTOM = 84, 30, 38
TICKS = 5

STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1c2024; }
.title { font-size: 17px; font-weight: 600; }
.size { font-size: 14px; font-weight: 600; }
.note, .tick { fill: #5b636b; font-size: 12px; }
.page { fill: #ffffff; }
.grid { stroke: #e3e6e9; }
.axis { stroke: #8a929a; }
.ours { fill: #0b6bcb; }
.other { fill: #a9b2bb; }
.range { stroke: #1c2024; stroke-width: 1.5; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e9ec; }
  .note, .tick { fill: #9aa4ae; }
  .page { fill: #15181b; }
  .grid { stroke: #2c3136; }
  .axis { stroke: #6d767f; }
  .ours { fill: #4ea1f3; }
  .other { fill: #59636d; }
  .range { stroke: #e6e9ec; }
}"""


def chart(result: Comparison) -> str:
    """The SVG document."""
    panels: list[str] = []
    top = TOP
    for size in result.sizes:
        bars = [(server, cpu) for server in result.servers if (cpu := result.cpu_us(server, size))]
        if bars:
            panel, height = _panel(size, bars, top)
            panels.append(panel)
            top += height
    title = "Server CPU time per request"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" '
            f'width="{WIDTH}" height="{top}" role="img" aria-label="{title} by server and size">',
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="page" width="{WIDTH}" height="{top}" rx="8"/>',
            _text(LEFT, 34, title, "title"),
            _text(
                LEFT,
                56,
                "Shorter is better. Median of the rounds, line: minimum to maximum.",
                "note",
            ),
            _text(
                LEFT,
                73,
                f"1 worker on 1 core, HTTP/1.1, {result.connections} kept-alive "
                "connections. Each panel has its own scale.",
                "note",
            ),
            *panels,
            "</svg>\n",
        )
    )


def _panel(size: str, bars: list[tuple[str, Spread]], top: int) -> tuple[str, int]:
    """The bars of one size, and how high the panel is."""
    step = _step(max(cpu.max for _, cpu in bars))
    end = math.ceil(max(cpu.max for _, cpu in bars) / step) * step
    scale = (WIDTH - LEFT - RIGHT - FIGURE) / end
    first = top + PANEL_TOP
    bottom = first + len(bars) * (BAR + GAP)
    lines = [_text(LEFT, top + 20, size, "size")]
    for i in range(round(end / step) + 1):
        x = LEFT + i * step * scale
        kind = "axis" if i == 0 else "grid"
        lines.append(f'<path class="{kind}" d="M{x:.1f} {first - 4}V{bottom}"/>')
        lines.append(_text(x, bottom + 16, f"{i * step:g}", "tick", "middle"))
    unit_x = LEFT + end * scale + 24
    lines.append(_text(unit_x, bottom + 16, "µs/request", "tick"))
    for i, (server, cpu) in enumerate(bars):
        lines.append(_bar(server, cpu, first + i * (BAR + GAP), scale))
    return "\n".join(lines), bottom + PANEL_BOTTOM - top


def _bar(server: str, cpu: Spread, y: int, scale: float) -> str:
    """Name, bar, line from minimum to maximum, and the median as a figure."""
    kind = "ours" if server.startswith("zeroserve") else "other"
    low, high, middle = LEFT + cpu.min * scale, LEFT + cpu.max * scale, y + BAR / 2
    digits = 1 if cpu.median < 100 else 0
    return "\n".join(
        (
            _text(LEFT - 10, y + 13, server, "name", "end"),
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{cpu.median * scale:.1f}" '
            f'height="{BAR}" rx="2"/>',
            f'<path class="range" d="M{low:.1f} {middle - 3}v6m0 -3H{high:.1f}m0 -3v6"/>',
            _text(high + 8, y + 13, f"{cpu.median:.{digits}f}", "figure"),
        )
    )


def _step(largest: float) -> float:
    """A distance of ticks of 1, 2 or 5 times a power of ten, for about `TICKS` of them."""
    rough = largest / TICKS
    power = float(10 ** math.floor(math.log10(rough)))
    return min(f * power for f in (1, 2, 5, 10) if f * power >= rough)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
