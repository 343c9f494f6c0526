"""What `slipway deploy --json` said, for people.

table.py DIRECTORY APP...   the table of the demo, from DIRECTORY/APP.json and DIRECTORY/APP.line
table.py --url FILE         the URL of the deployed application
table.py --why FILE         why the deployment failed
"""

import json
import sys
from datetime import datetime
from pathlib import Path


def step_seconds(deployment: dict, kind: str) -> str:
    for step in deployment.get("steps") or []:
        if step["kind"] == kind and step.get("startedAt") and step.get("finishedAt"):
            started, finished = (datetime.fromisoformat(step[end].replace("Z", "+00:00")) for end in ("startedAt", "finishedAt"))
            return f"{(finished - started).total_seconds():.1f} s"
    return ""


def row(app: str, deployment: dict, line: str) -> list[str]:
    build = deployment.get("build") or {}
    detected = (build.get("detected") or [{}])[0]
    runtime = (build.get("runtime") or {}).get("slug") or ""
    evidence = "; ".join(detected.get("evidence") or [])
    return [app, runtime, evidence, step_seconds(deployment, "BUILD"), deployment["application"]["url"], line]


def table(rows: list[list[str]]) -> None:
    header = ["app", "runtime", "how it was detected", "build", "URL", "first line of the answer"]
    rows = [[cell if len(cell) <= 60 else cell[:59] + "…" for cell in cells] for cells in rows]
    widths = [max(len(cells[column]) for cells in [header, *rows]) for column in range(len(header))]
    for cells in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def why(deployment: dict) -> None:
    # A request that the API refuses never becomes a deployment.
    failure = deployment.get("failure") or deployment.get("error") or {}
    print(deployment.get("statusReason") or failure.get("message") or "no reason was given")
    if failure.get("fix"):
        print(f"  {failure['fix']}")
    for line in failure.get("lastLines") or []:
        print(f"  | {line}")


def main(arguments: list[str]) -> None:
    if arguments[0] in ("--url", "--why"):
        deployment = json.loads(Path(arguments[1]).read_text())
        if arguments[0] == "--why":
            why(deployment)
        else:
            print(deployment["application"]["url"])
        return
    results = Path(arguments[0])
    table([row(app, json.loads((results / f"{app}.json").read_text()), (results / f"{app}.line").read_text().strip()) for app in arguments[1:]])


if __name__ == "__main__":
    main(sys.argv[1:])
