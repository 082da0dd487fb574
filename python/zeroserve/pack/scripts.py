"""Scripts on their way into an archive: compiled, verified, stored as objects."""

from collections.abc import Iterable
from pathlib import Path

from zeroserve import clang, object_cache, scripts
from zeroserve.pack.reading import chunks, opened
from zeroserve.pack.walk import FileId, Source


def compiled(
    sources: Iterable[Source], workshop: Path, root: str
) -> tuple[list[Source], list[str]]:
    """The sources with objects in place of scripts, and the compiler's warnings.

    Modules that scripts in Python import are in their objects, and are left out.

    Files of rules of the site ``root`` stay beside the script that they become.

    Objects are written to the directory ``workshop``, which has to last as long as they are
    needed. Raises ``Error`` for a script that does not compile or would not load.
    """
    by_name = {source.name: source for source in sources}
    warnings: list[str] = []
    files = [(source.name, source.path) for source in by_name.values()]
    helpers = {name for name, path in files if scripts.is_script(name) and scripts.is_helper(path)}
    imported: set[str] = set()
    rules = scripts.rules_of(root)
    places = scripts.places((file for file in files if file[0] not in helpers), rules_of=rules)
    for place in places:
        if place.rules_of is not None:
            continue
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
    if rules is not None:
        _compile_rules(rules, by_name, workshop)
    lost = scripts.lost([(name, by_name[name].path) for name in helpers], imported)
    warnings += [f"{name}: {scripts.NEVER_RUNS}" for name in lost]
    kept = [source for source in by_name.values() if not scripts.is_source(source.name)]
    return sorted(kept, key=lambda source: source.name.encode()), warnings


def _compile_rules(root: str, by_name: dict[str, Source], workshop: Path) -> None:
    """The script of the files of rules; without rules in them, the files are left out."""
    from zeroserve.config import file as configuration
    from zeroserve.config import rules

    own = [name for name in scripts.RULE_FILES if name in by_name]
    made = rules.made(root)
    if made is None:
        for name in own:
            del by_name[name]
        return
    scripts.load(made.object, rules.ENTRY)
    path = workshop / f"{scripts.RULES}.o"
    path.write_bytes(made.object)
    name = f"{scripts.DIRECTORY}{scripts.RULES}.o"
    mtime = max(by_name[one].mtime for one in (*own, configuration.NAME) if one in by_name)
    by_name[name] = Source(name, str(path), FileId.of(path.stat()), mtime)
