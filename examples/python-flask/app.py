"""A Flask app: `app` is what gunicorn serves."""

import platform
import time

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
started = time.monotonic()


@app.get("/")
def index() -> Response:
    # The first line says who answers; the rest is for whoever looks at the page.
    major, minor, _ = platform.python_version_tuple()
    lines = [
        f"Hello from Python {major}.{minor}",
        "",
        f"You asked {request.host}, and Flask answered.",
        "Edit app.py and deploy again.",
        "",
    ]
    return Response("\n".join(lines), mimetype="text/plain")


@app.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok", uptime_seconds=round(time.monotonic() - started))
