"""What is started: the customer's own words, else a task, else the main program."""

import re
from dataclasses import dataclass

from wit_world.imports import types

import manifest
import parts
from source import Source

PROGRAMS = [
    f"{directory}{name}.{extension}"
    for directory in ("", "src/")
    for name in ("main", "server", "app", "index", "mod")
    for extension in ("ts", "tsx", "js", "mjs")
]
# What a server needs, and no more: it may not write files or run programs unless its project says so.
PERMISSIONS = ["--allow-net", "--allow-env", "--allow-read"]


@dataclass
class Start:
    command: types.Command
    why: str
    # The program that is started, where that is known.
    file: str | None = None
    # Such as Deno.serve, by which a program without a manifest is told from one for Node.js or browsers.
    speaks_to_deno: bool = False


def find(source: Source, context: types.Context, project: manifest.Project) -> Start | None:
    main = next(filter(source.is_file, PROGRAMS), None)
    text = source.peek(main) if main else ""
    speaks_to_deno = bool(re.search(r"\bDeno\.\w", text))
    stated = context.start_command or source.web_process()
    if stated and stated.strip():
        return Start(parts.shell(stated.strip()), "the start command is stated", main, speaks_to_deno=speaks_to_deno)
    if "start" in project.tasks:
        return Start(parts.argv("deno", "task", "start"), "a task `start`", main, speaks_to_deno=speaks_to_deno)
    if main is None:
        return None
    if re.search(r"^export default\b", text, re.MULTILINE) and not re.search(r"\bDeno\.serve\s*\(", text):
        serve = " ".join(["deno", "serve", "--cached-only", *PERMISSIONS, '--host 0.0.0.0 --port "$PORT"', main])
        return Start(parts.shell(serve), "exports what `deno serve` serves", main, speaks_to_deno=speaks_to_deno)
    run = parts.argv("deno", "run", "--cached-only", *PERMISSIONS, main)
    return Start(run, "the main program", main, speaks_to_deno=speaks_to_deno)
