"""Chromium: a page of an origin that the service knows hands in; a page of another origin may read nothing.

Usage: chromium.py PORT: the service knows http://127.0.0.1:PORT.
"""

import http.server
import json
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import okd

# Without the network flags the browser asks its maker's servers at every start.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECONDS = 60


def serve(port, page=Path(__file__).with_name("page.html")):
    """Serves a page on a port; gives the server and the queue of what pages report."""
    reports = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(page.read_bytes())

        def do_POST(self):
            reports.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.answer(b"")

        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, reports


def report(port, **query):
    """Opens the page and gives what it reports."""
    server, reports = serve(port)
    page = f"http://127.0.0.1:{server.server_address[1]}/?{urlencode(query)}"
    # The browser's own helpers may write there for a moment after it has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", page]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return reports.get(timeout=SECONDS)
        except queue.Empty:
            raise AssertionError(f"the page reports nothing within {SECONDS} s") from None
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()


def offer(token):
    """Asks where to send a file of one byte."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(okd.metadata(size=1)).encode()
    with urlopen(Request(okd.URL, body, headers, method="PUT")) as answer:
        return json.load(answer)


def main():
    token = okd.token()
    told = report(int(sys.argv[1]), api=okd.API, token=token)
    assert told == "done", told
    upload = offer(token)["upload"]
    links = {"status": okd.API + upload["status"]["href"], "part": upload["parts"][0]["href"]}
    told = report(0, api=okd.API, token=token, known="no", **links)
    assert told == "done", told


if __name__ == "__main__":
    main()
