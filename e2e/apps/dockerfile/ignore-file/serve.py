import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILES = sorted(os.path.join(root, file)[2:] for root, _, files in os.walk(".") for file in files)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"Hello from ignore-file with {' '.join(FILES)}\n".encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
