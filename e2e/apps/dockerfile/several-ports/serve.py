"""Visitors on PORT, figures for operators on 9100."""

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def answering(text: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

    return Handler


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
figures = ThreadingHTTPServer(("", 9100), answering("up 1\n"))
threading.Thread(target=figures.serve_forever, daemon=True).start()
ThreadingHTTPServer(("", int(os.environ["PORT"])), answering("Hello from several-ports\n")).serve_forever()
