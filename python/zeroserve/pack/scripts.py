"""Scripts on their way into an archive: compiled, verified, stored as objects."""

from collections.abc import Iterable
from pathlib import Path

from zeroserve import clang, scripts
from zeroserve.pack.reading import chunks, opened
from zeroserve.pack.walk import FileId, Source
from zeroserve.words import quoted


def compiled(sources: Iterable[Source], workshop: Path) -> tuple[list[Source], list[str]]:
    """The sources with objects in place of scripts, and the compiler's warnings.

    Objects are written to the directory ``workshop``, which has to last as long as they are
    needed. Raises ``Error`` for a script that does not compile or would not load.
    """
    by_name = {source.name: source for source in sources}
    warnings: list[str] = []
    files = [(source.name, source.path) for source in by_name.values()]
    later = scripts.later(files)
    warnings += [f"scripts in Python do not run yet: {quoted(name)}" for name in later]
    for place in scripts.places(file for file in files if file[0] not in later):
        source = by_name[place.entry]
        with opened(source) as file:
            if source.name.endswith(".o"):
                scripts.load(b"".join(chunks(source, file)), source.path)
                continue
            made = clang.compile(source.path)
        scripts.load(made.object, source.path)
        warnings += [str(message) for message in made.messages]
        path = workshop / f"{place.name}.o"
        path.write_bytes(made.object)
        name = f"{scripts.DIRECTORY}{place.name}.o"
        del by_name[place.entry]
        by_name[name] = Source(name, str(path), FileId.of(path.stat()), source.mtime)
    return sorted(by_name.values(), key=lambda source: source.name.encode()), warnings
