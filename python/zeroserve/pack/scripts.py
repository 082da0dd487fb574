"""Scripts on their way into an archive: compiled, verified, stored as objects."""

from collections.abc import Iterable
from pathlib import Path

from zeroserve import clang, object_cache, scripts
from zeroserve.pack.reading import chunks, opened
from zeroserve.pack.walk import FileId, Source


def compiled(sources: Iterable[Source], workshop: Path) -> tuple[list[Source], list[str]]:
    """The sources with objects in place of scripts, and the compiler's warnings.

    Modules that scripts in Python import are in their objects, and are left out.

    Objects are written to the directory ``workshop``, which has to last as long as they are
    needed. Raises ``Error`` for a script that does not compile or would not load.
    """
    by_name = {source.name: source for source in sources}
    warnings: list[str] = []
    files = [(source.name, source.path) for source in by_name.values()]
    helpers = {name for name, path in files if scripts.is_script(name) and scripts.is_helper(path)}
    imported: set[str] = set()
    for place in scripts.places(file for file in files if file[0] not in helpers):
        source = by_name[place.entry]
        with opened(source) as file:
            if source.name.endswith(".o"):
                scripts.load(b"".join(chunks(source, file)), source.path)
                continue
            if source.name.endswith(".py"):
                built = object_cache.compile(source.path)
                imported.update(built.files)
                object = built.object
            else:
                made = clang.compile(source.path)
                object = made.object
                warnings += [str(message) for message in made.messages]
        scripts.load(object, source.path)
        path = workshop / f"{place.name}.o"
        path.write_bytes(object)
        name = f"{scripts.DIRECTORY}{place.name}.o"
        del by_name[place.entry]
        by_name[name] = Source(name, str(path), FileId.of(path.stat()), source.mtime)
    lost = scripts.lost([(name, by_name[name].path) for name in helpers], imported)
    warnings += [f"{name}: {scripts.NEVER_RUNS}" for name in lost]
    kept = [source for source in by_name.values() if not scripts.is_source(source.name)]
    return sorted(kept, key=lambda source: source.name.encode()), warnings
