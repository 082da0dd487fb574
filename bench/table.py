"""A table, as Markdown and on the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text under `columns`; the first `left` columns are text, the rest numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    left: int = 1

    def markdown(self) -> str:
        """The table with its title as a heading."""
        rule = ["---" if i < self.left else "---:" for i in range(len(self.columns))]
        lines = [f"### {self.title}", ""]
        lines += [f"| {' | '.join(row)} |" for row in (self.columns, tuple(rule), *self.rows)]
        return "\n".join(lines) + "\n"

    def plain(self) -> str:
        """The table in aligned columns."""
        table = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(self.columns))]
        lines = [self.title]
        for row in table:
            cells = [
                cell.ljust(width) if i < self.left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines) + "\n"


def show(table: Table) -> None:
    """Print `table`, with rich when this is a terminal and rich is installed."""
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table as RichTable
        except ImportError:
            pass
        else:
            rich = RichTable(title=table.title, title_justify="left")
            for i, column in enumerate(table.columns):
                rich.add_column(column, justify="left" if i < table.left else "right")
            for row in table.rows:
                rich.add_row(*row)
            Console().print(rich)
            return
    print(table.plain())
