"""Works until it is told to stop, and says so."""

import signal
import threading

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
print("working", flush=True)
while not stop.wait(timeout=1):
    pass
print("stopped by request", flush=True)
