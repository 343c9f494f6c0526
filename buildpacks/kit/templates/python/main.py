"""The buildpack for {{id}}.

It stands for a language whose projects have a file `{{id}}.toml`. Put your own in its place: what tells one of its projects,
where its version is stated, what builds it, and what starts it.
"""

import tomllib

from wit_world.imports import types

import parts
from source import Source

MANIFEST = "{{id}}.toml"
# What a runtime plugin knows as a tool, and resolves to images: see plugin/.
TOOL = "{{id}}"
DEFAULT_VERSION = "1"
# Where the application is in builds and in the image.
APP = "/app"
# From this score on, a tree is a whole application: it has a manifest and a way to start it.
WHOLE_APPLICATION = 80


class WitWorld:
    """The two functions of the contract. Both are pure: the same tree and arguments give the same answer."""

    def detect(self, context: types.Context) -> types.Detected:
        try:
            source = Source(context)
            manifest = read(source)
            if manifest is None:
                return types.Detected_No([types.Reason(MANIFEST, None, "there is no such file")])
            score = WHOLE_APPLICATION + 10 if start(source, context, manifest) else 60
            return types.Detected_Yes(parts.detection(context, score, [types.Reason(MANIFEST, None, "a project of {{id}}")]))
        except parts.Refused as refused:
            return types.Detected_Refused(refused.value)

    def plan(self, context: types.Context, detection: types.Detection) -> types.Fragment:
        # A refusal is what WIT calls the error of a result: componentize-py takes it as an exception, see parts.Refused.
        source = Source(context)
        manifest = read(source) or {}
        command = start(source, context, manifest)
        diagnostics = []
        if command is None and not source.other_processes():
            message = f'Nothing says how the application starts. Add `start = "..."` to {MANIFEST}, or `web: ...` to a Procfile.'
            diagnostics.append(parts.warning("{{ID}}_NO_START", message, MANIFEST))
        build = context.build_command or manifest.get("build")
        steps = []
        if build:
            step = parts.step("build", parts.tool_image(TOOL), caches=["downloads"])
            step.inputs.append(parts.source_input(APP, exclude=[".git"]))
            step.run.append(parts.run(parts.shell(build), APP))
            steps.append(step)
        code = parts.step_layer("build", APP, APP) if build else parts.source_layer(APP, exclude=[".git"])
        version = manifest.get("version")
        fragment = parts.fragment(parts.image(parts.tool_image(TOOL), APP, layers=[code], env=[("HOME", "/tmp")]))
        fragment.tools.append(
            parts.stated_tool(TOOL, version, f"{MANIFEST}#version") if version else parts.default_tool(TOOL, DEFAULT_VERSION)
        )
        fragment.caches.extend([types.Cache("downloads", "/root/.cache", True)] if build else [])
        fragment.steps.extend(steps)
        fragment.diagnostics.extend(diagnostics)
        if command:
            fragment.processes.append(parts.web(parts.shell(command)))
            fragment.ports.append(types.Port("http", "PORT", 8080))
            fragment.health = types.Health(types.Probe_Tcp(), 60, types.HealthBasis.GUESSED)
        return fragment


def read(source: Source) -> dict | None:
    """None: not a project of this kind."""
    text = source.read(MANIFEST)
    if text is None:
        return None
    try:
        manifest = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"`{MANIFEST}` is not valid: {error or 'it is nested too deep'}."
        raise parts.refused("{{ID}}_MANIFEST_INVALID", message, f"Correct `{MANIFEST}`.", MANIFEST, getattr(error, "lineno", None))
    for key in ("version", "build", "start"):
        if not isinstance(manifest.get(key, ""), str):
            message = f"`{key}` in {MANIFEST} is not a text."
            raise parts.refused("{{ID}}_MANIFEST_INVALID", message, "Put it into quotes.", MANIFEST)
    return manifest


def start(source: Source, context: types.Context, manifest: dict) -> str | None:
    """What the customer says goes before what the manifest says."""
    for command in (context.start_command, source.web_process(), manifest.get("start")):
        if command and command.strip():
            return command.strip()
    return None
