"""`scripts`: what a script costs, beside servers that run Lua, JavaScript and Python.

Over HTTP like `compare`: a file without a script and with an empty one, and 30 bytes of JSON with
the path of the request in them from each server. What an empty script adds is too little to be
seen there, so it is measured inside of the server as well: requests in memory, no sockets.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.archives import pack
from bench.compare import Comparison, Served, Settings, Tell, run_rounds
from bench.errors import BenchError
from bench.rules import WHAT, compiled, nginx_rules, write_rules
from bench.running import pinned
from bench.servers import (
    BUILD,
    NGINX_FILES,
    NGINX_SENDFILE,
    REPOSITORY,
    Context,
    Launch,
    Server,
    find_program,
    nginx_launch,
    zeroserve_launch,
)
from bench.site import SMALLEST, Size, write_site
from bench.stats import Spread, spread
from bench.webapps import granian, nginx_js, nginx_lua, uvicorn

PROGRAMS = Path(__file__).resolve().parent / "programs"
FOLDER = Path(".zeroserve/scripts")

FILE = Size("File of 174 B", SMALLEST.name, SMALLEST.length)
PATH = "script/json-answer"
ANSWER = f'{{"path":"/{PATH}"}}'.encode()
JSON = Size("JSON of 30 B", PATH, len(ANSWER), ANSWER, "application/json")
CASES = (FILE, JSON)

# Name of the row: the script that the archive has.
SCRIPTS = {
    "zeroserve+empty": "empty.c",
    "zeroserve+json": "json.c",
    "zeroserve+python": "json_python.py",
}
# What is measured in memory as well, by what the tables call it.
INSIDE = {"empty": "empty.c", "json": "json.c", "json in Python": "json_python.py"}
INSIDE |= {"1,000 routes in Python": "router.py", WHAT: ""}
"""Without a script: the rules of `bench.rules`."""

RULES = "zeroserve+rules"


def nginx_plain(context: Context) -> Launch:
    """nginx without rules, beside the one with them."""
    return nginx_launch(context, NGINX_FILES + NGINX_SENDFILE, f"        root {context.root};")


_MODULES = Path("/usr/lib/nginx/modules")
_LUA, _JS = "libnginx-mod-http-lua", "libnginx-mod-http-js"
_JSON = (JSON,)
SCRIPT_SERVERS = (
    Server("zeroserve", "zeroserve", BUILD, ("--version",), zeroserve_launch, (FILE,)),
    Server("zeroserve+empty", "zeroserve", BUILD, ("--version",), zeroserve_launch, (FILE,)),
    Server(RULES, "zeroserve", BUILD, ("--version",), zeroserve_launch, (FILE,)),
    Server("nginx", "nginx", "apt-get install nginx", ("-v",), nginx_plain, (FILE,)),
    Server("nginx+rules", "nginx", "apt-get install nginx", ("-v",), nginx_rules, (FILE,)),
    Server("zeroserve+json", "zeroserve", BUILD, ("--version",), zeroserve_launch, _JSON),
    Server("zeroserve+python", "zeroserve", BUILD, ("--version",), zeroserve_launch, _JSON),
    Server(
        *("nginx+lua", "nginx", f"apt-get install nginx {_LUA}", ("-v",), nginx_lua, _JSON),
        needs=(_MODULES / "ndk_http_module.so", _MODULES / "ngx_http_lua_module.so"),
        package=_LUA,
    ),
    Server(
        *("nginx+njs", "nginx", f"apt-get install nginx {_JS}", ("-v",), nginx_js, _JSON),
        needs=(_MODULES / "ngx_http_js_module.so",),
        package=_JS,
    ),
    Server("granian", "granian", "pip install --group bench", ("--version",), granian, _JSON),
    Server("uvicorn", "uvicorn", "pip install --group bench", ("--version",), uvicorn, _JSON),
)

# Inside of the server: requests of one conversation in memory.
INSIDE_REQUESTS = 20_000


@dataclass
class Inside:
    """CPU time per request in memory, in nanoseconds: a list of rounds for each script."""

    build: list[str]
    command: list[str]
    requests: int
    ns_per_request: dict[str, list[float]] = field(default_factory=dict)

    def us(self, name: str) -> Spread | None:
        """Microseconds per request; `name` is that of the script, or `none`."""
        return spread(ns / 1e3 for ns in self.ns_per_request.get(name, []))

    def added_us(self, name: str) -> Spread | None:
        """Microseconds that a script adds: of each round, what it took above `none`."""
        pairs = zip(
            self.ns_per_request.get(name, []), self.ns_per_request.get("none", []), strict=False
        )
        return spread((with_ns - without_ns) / 1e3 for with_ns, without_ns in pairs)


@dataclass
class Scripted:
    """All that `scripts` measured."""

    rounds: Comparison
    inside: Inside | None
    # Why there is nothing from inside.
    inside_skipped: str = ""


def scripts(settings: Settings, inside_rounds: int, tell: Tell) -> Scripted:
    """Run all rounds, then those in memory."""
    result = run_rounds(settings, tell, prepare)
    program = find_program("zeroserve", settings.programs)
    given = settings.programs.get("pipeline")
    if inside_rounds == 0:
        return Scripted(result, None, "not asked for")
    if program is None or (given is None and shutil.which("cargo") is None):
        tell("skipped the pipeline in memory: no zeroserve, or no cargo to build it with")
        return Scripted(result, None, "no zeroserve, or no cargo to build it with")
    pipeline = given or build_pipeline(tell)
    tell(f"in memory: {inside_rounds} rounds")
    return Scripted(result, inside(pipeline, program, inside_rounds, settings.cores.server))


def prepare(work: Path, programs: dict[str, Path]) -> Served:
    """The files, and an archive for each of the rows of zeroserve."""
    root = work / "site"
    write_site(root, (SMALLEST,))
    for server in ("zeroserve", *SCRIPTS, RULES):
        if server in programs:
            pack_with(
                programs[server],
                root,
                SCRIPTS.get(server),
                work / f"{server}.tar",
                rules=server == RULES,
            )
    return Served(root, lambda server: work / f"{server.name}.tar")


def pack_with(
    zeroserve: Path, root: Path, script: str | None, archive: Path, *, rules: bool = False
) -> None:
    """Pack `root` with a script of `PROGRAMS`, or with rules, compiled while packing."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        tree = Path(directory) / "site"
        shutil.copytree(root, tree)
        if script is not None:
            (tree / FOLDER).mkdir(parents=True)
            shutil.copy(PROGRAMS / script, tree / FOLDER)
        if rules:
            write_rules(tree)
        pack(zeroserve, tree, archive)


BUILD_PIPELINE = [
    *("cargo", "build", "--quiet", "--release", "--package", "zeroserve-server"),
    *("--example", "pipeline", "--message-format", "json"),
]


def build_pipeline(tell: Callable[[str], None]) -> Path:
    """Build crates/server/examples/pipeline.rs; where the program is."""
    tell("building the pipeline in memory")
    done = subprocess.run(
        BUILD_PIPELINE, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    made = built(done.stdout, "pipeline")
    if done.returncode != 0 or made is None:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BenchError(f"cannot build the pipeline in memory: {last}")
    return made


def built(messages: str, target: str) -> Path | None:
    """The program that cargo says it made of `target`, from its JSON messages."""
    for line in messages.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("target", {}).get("name") == target and message.get("executable"):
            return Path(message["executable"])
    return None


def inside(pipeline: Path, zeroserve: Path, rounds: int, core: int) -> Inside:
    """Measure a file without a script and with each of `INSIDE`, in memory."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        write_site(work / "site", (SMALLEST,))
        pack(zeroserve, work / "site", work / "site.tar")
        objects = []
        for number, (name, script) in enumerate(INSIDE.items()):
            if script:
                _compile(zeroserve, PROGRAMS / script, work / f"{number}.o")
            else:
                pack_with(zeroserve, work / "site", None, work / "rules.tar", rules=True)
                compiled(work / "rules.tar", work / f"{number}.o")
            objects.append(f"{name}={number}.o")
        words = ["site.tar", f"/{FILE.name}", str(INSIDE_REQUESTS), str(rounds), *objects]
        command = pinned([str(pipeline), *words], core)
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"the pipeline in memory failed: {done.stderr.strip()}")
        readable = pinned(["pipeline", *words], core)
        return Inside(BUILD_PIPELINE, readable, INSIDE_REQUESTS, json.loads(done.stdout))


def _compile(zeroserve: Path, source: Path, made: Path) -> None:
    command = [str(zeroserve), "compile", str(source), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BenchError(f"cannot compile {source.name}: {said[0]}")
