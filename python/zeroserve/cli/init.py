"""``zeroserve init``: a site to begin with."""

from zeroserve import templates
from zeroserve.cli.flags import Options
from zeroserve.cli.new_files import write_new
from zeroserve.words import plural, printable


def run(options: Options) -> int:
    """Write the site and say how to go on; returns the exit code."""
    place = options.operands[0] if options.operands else "."
    files = templates.files(options.template)
    write_new(place, files, empty=True)
    print(f"{plural(len(files), 'file')} in {printable(place)}: {', '.join(sorted(_tops(files)))}")
    print(f"run it: zeroserve {_word(place)}".rstrip())
    return 0


def _tops(files: dict[str, bytes]) -> set[str]:
    return {name.partition("/")[0] + ("/" if "/" in name else "") for name in files}


def _word(place: str) -> str:
    """The directory as a shell takes it; nothing for the current one."""
    import shlex

    return "" if place == "." else printable(shlex.quote(place))
