"""What a project says of itself: deno.json, and the files of version managers."""

import json
import re
from dataclasses import dataclass, field

import parts
from source import Source

FILES = ["deno.json", "deno.jsonc"]
LOCK = "deno.lock"
# Brackets within each other that a manifest may have.
DEEPEST = 50
# By the beginning of what a project imports.
FRAMEWORKS = [
    ("jsr:@fresh/core", "fresh"),
    ("https://deno.land/x/fresh", "fresh"),
    ("jsr:@hono/hono", "hono"),
    ("npm:hono", "hono"),
    ("jsr:@oak/oak", "oak"),
    ("https://deno.land/x/oak", "oak"),
]


@dataclass
class Project:
    file: str | None = None
    tasks: dict[str, str] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
    is_locked: bool = False

    @property
    def framework(self) -> str | None:
        found = (name for start, name in FRAMEWORKS if any(address.startswith(start) for address in self.imports))
        return next(found, None)


def read(source: Source) -> Project:
    project = Project(file=next(filter(source.is_file, FILES), None), is_locked=source.is_file(LOCK))
    if project.file is None:
        return project
    stated = parse(source.read(project.file) or "", project.file)
    # A task is a command, or a table with one.
    commands = {name: task.get("command") if isinstance(task, dict) else task for name, task in table(stated, "tasks").items()}
    project.tasks = {name: command for name, command in commands.items() if isinstance(command, str)}
    addresses = (address for address in table(stated, "imports").values() if isinstance(address, str))
    project.imports = [address for address in addresses if re.match(r"(npm|jsr|https?):", address)]
    return project


def table(stated: dict, key: str) -> dict:
    value = stated.get(key)
    return value if isinstance(value, dict) else {}


def parse(text: str, file: str) -> dict:
    def invalid(problem: str, line: int | None = None):
        return parts.refused("DENO_MANIFEST_INVALID", f"`{file}` is not valid: {problem}.", f"Correct `{file}`.", file, line)

    text = without_comments(text)
    # The parser recurses, and in the sandbox the end of the stack is the end of the buildpack.
    if depth(text) > DEEPEST:
        raise invalid("it is nested too deep")
    try:
        stated = json.loads(text)
    except json.JSONDecodeError as error:
        raise invalid(error.msg[:1].lower() + error.msg[1:], error.lineno)
    if not isinstance(stated, dict):
        raise invalid("it is no object", 1)
    return stated


# A string, which stays as it is; a comment; a comma before a bracket.
TOKENS = re.compile(r'("(?:[^"\\\n]|\\.)*")|(//[^\n]*|/\*.*?\*/)|(,)(?=\s*[\]}])', re.DOTALL)


def without_comments(text: str) -> str:
    """As JSON, with every line where it was."""
    # Twice, since a comment may stand between a comma and its bracket.
    for _ in range(2):
        text = TOKENS.sub(lambda match: match[1] or "\n" * (match[2] or "").count("\n"), text)
    return text


def version(source: Source) -> tuple[str, str] | None:
    """What is asked for, and where."""
    for file, pattern in [(".deno-version", r"^v?(\S+)"), (".dvmrc", r"^v?(\S+)"), (".tool-versions", r"(?m)^deno\s+v?(\S+)")]:
        match = re.search(pattern, (source.read(file) or "").strip())
        if match is None:
            continue
        if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,5}){0,2}", match[1]) is None:
            message = f"`{match[1][:40]}` in {file} is not a version of Deno."
            raise parts.refused("DENO_VERSION_INVALID", message, "Write one such as `2` or `2.5.4`.", file)
        return match[1], file
    return None


def depth(text: str) -> int:
    """How deep brackets lie within each other; those in strings count too, which does not matter at this size."""
    level = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest
