"""Short ways to write the parts of a plan. The contract itself is wit/buildpack.wit, which says what each field means."""

from componentize_py_types import Err
from wit_world.imports import types

Refused = Err


def refused(code: str, message: str, fix: str, file: str | None = None, line: int | None = None) -> Err:
    """To be raised. For the person who wrote the application: what is wrong, where, and what to do."""
    return Err(types.Refusal(code, message, file, line, fix))


def warning(code: str, message: str, file: str | None = None) -> types.Diagnostic:
    return types.Diagnostic(types.Level.WARNING, code, message, file, None)


def info(code: str, message: str, file: str | None = None) -> types.Diagnostic:
    return types.Diagnostic(types.Level.INFO, code, message, file, None)


def detection(context: types.Context, score: int, reasons: list, framework=None, package_manager=None) -> types.Detection:
    return types.Detection(context.app_root, score, framework, package_manager, reasons, [], [])


def stated_tool(name: str, constraint: str, source: str) -> types.Tool:
    """Of the version that a file asks for: `source` is the file, or `file#key`."""
    return types.Tool(name, constraint, source, False)


def default_tool(name: str, constraint: str) -> types.Tool:
    return types.Tool(name, constraint, "", True)


def tool_image(name: str) -> types.Base:
    """The image that the tool resolves to."""
    return types.Base_Tool(name)


def argv(*words: str) -> types.Command:
    return types.Command_Argv(list(words))


def shell(line: str) -> types.Command:
    """For the customer's own words; everything else is an argv."""
    return types.Command_Shell(line)


def run(command: types.Command, cwd: str, env: list = (), network: bool = True) -> types.Run:
    return types.Run(command, cwd, list(env), network)


def step(id: str, base: types.Base, caches: list = (), packages: list = ()) -> types.Step:
    """Sees nothing and does nothing yet: append to `inputs` and `run`."""
    return types.Step(id, base, [], [], [], list(caches), [], list(packages))


def source_input(dest: str, include: list = (), exclude: list = ()) -> types.Input:
    """Files of the source: paths or globs; none: all. What a step does not see cannot make it run again."""
    return types.Input("source", list(include), list(exclude), dest)


def source_layer(dest: str, exclude: list = ()) -> types.Layer:
    return types.Layer("source", ".", dest, [], list(exclude))


def step_layer(step: str, path: str, dest: str) -> types.Layer:
    return types.Layer(step, path, dest, [], [])


def image(base: types.Base, workdir: str, layers: list, env: list = (), packages: list = ()) -> types.Image:
    """Layers from the most stable to the most volatile. Runs as user and group 1000."""
    return types.Image(base, list(packages), layers, [], list(env), workdir, "1000:1000")


def web(command: types.Command, env: list = ()) -> types.Process:
    return types.Process("web", types.ProcessKind.WEB, command, list(env), True)


def fragment(image: types.Image) -> types.Fragment:
    """A plan with nothing but an image: append to its lists."""
    return types.Fragment([], [], [], image, None, [], [], None, None, [])
