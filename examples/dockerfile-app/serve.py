"""Serves site/: text to those who do not ask for HTML, pages to browsers."""

import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).parent / "site"
PAGE = re.compile(r"/([a-z0-9-]*)")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self.answer(200, "application/json", b'{"status": "ok"}\n')
            return
        html = "text/html" in self.headers.get("Accept", "")
        page = PAGE.fullmatch(path)
        file = SITE / f"{(page[1] or 'index')}.{'html' if html else 'txt'}" if page else None
        if file is None or not file.is_file():
            self.answer(404, "text/plain; charset=utf-8", b"There is nothing here.\n")
            return
        self.answer(200, f"text/{'html' if html else 'plain'}; charset=utf-8", file.read_bytes())

    do_HEAD = do_GET

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


if __name__ == "__main__":
    # As process 1 of a container, Python would ignore SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(os.environ.get("PORT", "8080"))
    print(f"listening on port {port}", flush=True)
    ThreadingHTTPServer(("", port), Handler).serve_forever()
