"""The buildpack for Deno: programs in TypeScript or JavaScript with a deno.json, or with a main.ts that speaks to Deno.

manifest.py reads what the project says of itself, program.py finds what to start; this writes it down.
"""

from wit_world.imports import types

import manifest
import parts
import program
from source import Source

# What a runtime plugin knows as a tool, and resolves to an image: see ../plugin-runtime-deno.
TOOL = "deno"
# Where the application is in builds and in the image, and where Deno keeps what it downloaded.
APP = "/app"
MODULES = "/deno-dir"
# From this score on, a tree is a whole application: it has a manifest and a way to start it.
WHOLE_APPLICATION = 80
# Deno.serve listens there when it is told nothing.
PORT = 8000
NOT_SOURCE = [".git", "node_modules"]


class WitWorld:
    def detect(self, context: types.Context) -> types.Detected:
        try:
            source = Source(context)
            project = manifest.read(source)
            start = program.find(source, context, project)
        except parts.Refused as refused:
            return types.Detected_Refused(refused.value)
        evidence = project.file or (start.file if start and start.speaks_to_deno else None)
        if evidence is None:
            looked_for = [types.Reason(name, None, "there is no such file") for name in manifest.FILES]
            return types.Detected_No([*looked_for, types.Reason("main.ts", None, "there is none that speaks to Deno")])
        reasons = [types.Reason(evidence, None, "a Deno program")]
        if start:
            reasons.append(types.Reason(start.file or evidence, None, start.why))
        # What Node.js can run as well is more likely meant for it.
        score = 60 if start is None or (source.is_file("package.json") and project.file is None) else WHOLE_APPLICATION + 10
        return types.Detected_Yes(parts.detection(context, score, reasons, project.framework, "deno"))

    def plan(self, context: types.Context, detection: types.Detection) -> types.Fragment:
        source = Source(context)
        project = manifest.read(source)
        start = program.find(source, context, project)
        version = manifest.version(source)
        steps = list(build_steps(source, context, project, start))
        if steps:
            layers = [parts.step_layer(steps[-1].id, MODULES, MODULES), parts.step_layer(steps[-1].id, APP, APP)]
        else:
            layers = [parts.source_layer(APP, exclude=NOT_SOURCE)]
        image = parts.image(parts.tool_image(TOOL), APP, layers, env=[("DENO_DIR", MODULES), ("DENO_NO_UPDATE_CHECK", "1"), ("HOME", "/tmp")])
        fragment = parts.fragment(image)
        fragment.tools.append(parts.stated_tool(TOOL, *version) if version else parts.default_tool(TOOL, "2"))
        fragment.steps.extend(steps)
        fragment.diagnostics.extend(said(source, project, start))
        if start:
            fragment.processes.append(parts.web(start.command))
            fragment.ports.append(types.Port("http", "PORT", PORT))
            fragment.health = types.Health(types.Probe_Tcp(), 60, types.HealthBasis.GUESSED)
        return fragment


def build_steps(source: Source, context: types.Context, project: manifest.Project, start: program.Start | None):
    base = parts.tool_image(TOOL)
    env = [("DENO_DIR", MODULES)]
    frozen = ["--frozen"] if project.is_locked else []
    if project.imports and project.is_locked:
        # Sees what names the modules and nothing else, so that an edit of the source does not download them again.
        install = parts.step("install", base)
        install.inputs.append(parts.source_input(APP, include=[*manifest.FILES, manifest.LOCK, "package.json"]))
        install.run.append(parts.run(parts.argv("deno", "install", *frozen), APP, env))
        yield install
        base = types.Base_Step("install")
    build = parts.step("build", base)
    build.inputs.append(parts.source_input(APP, exclude=NOT_SOURCE))
    command = context.build_command.strip() if context.build_command else None
    if command:
        build.run.append(parts.run(parts.shell(command), APP, env))
    elif "build" in project.tasks:
        build.run.append(parts.run(parts.argv("deno", "task", "build"), APP, env))
    if start and start.file:
        # What the program imports by address is only known from the program.
        build.run.append(parts.run(parts.argv("deno", "cache", *frozen, start.file), APP, env))
    elif project.imports and not project.is_locked:
        build.run.append(parts.run(parts.argv("deno", "install"), APP, env))
    if build.run:
        # A layer needs its directory, also where nothing was downloaded.
        build.run.append(parts.run(parts.argv("mkdir", "-p", MODULES), APP, network=False))
        yield build


def said(source: Source, project: manifest.Project, start: program.Start | None):
    if project.imports and not project.is_locked:
        message = "There is no deno.lock, so the next build may install other versions. Run `deno install`, and commit deno.lock."
        yield parts.warning("DENO_NO_LOCKFILE", message, project.file)
    if start is None and not source.other_processes():
        message = "Nothing says how the application starts: there is no task `start` and no main.ts. Add one, or `web: ...` to a Procfile."
        yield parts.warning("DENO_NO_START", message, project.file)
