"""Chromium follows the URL of a document whose name and type would harm: it saves the file, under a harmless name, and
shows and runs nothing.

Usage: chromium_download.py
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

import okd
from chromium import FLAGS, SECONDS

NAME = '../../x<script>"\r\nSet-Cookie: a=b.html'
# What is left of the name: no path, no quote, no line, no mark of Windows.
SAVED_AS = "xscriptSet-Cookie a=b.html"
PAGE = b"<script>document.title = 'it ran'; fetch('/ran')</script>"


def hand_in(token):
    """Hands the page in by parts and gives the document's URL at S3."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(method, url, body=None):
        with urlopen(Request(url, body, headers, method=method)) as answer:
            return json.load(answer)

    metadata = okd.metadata(size=len(PAGE))
    metadata["consumers"][0] |= {"documentName": NAME, "format": "text/html"}
    offered = call("PUT", okd.URL, json.dumps(metadata).encode())
    [part] = offered["upload"]["parts"]
    urlopen(Request(part["href"], PAGE, method="PUT")).close()
    call("POST", okd.API + offered["upload"]["complete"]["href"], b"")
    return call("GET", f"{okd.API}/okd/v1/documents/{offered['dmsDocumentId']}/metadata")["documentTempDownloadUrl"]


def save(url):
    """Opens the URL; gives the names and bytes of the files that the browser saves."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        profile, saved = Path(folder, "profile"), Path(folder, "saved")
        saved.mkdir()
        preferences = {"download": {"default_directory": str(saved), "prompt_for_download": False}}
        Path(profile, "Default").mkdir(parents=True)
        Path(profile, "Default", "Preferences").write_text(json.dumps(preferences))
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", url]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                files = list(saved.iterdir())
                # While it writes, the name begins with a dot or ends in its own way.
                if files and not any(file.name.startswith(".") or file.suffix == ".crdownload" for file in files):
                    return {file.name: file.read_bytes() for file in files}
                time.sleep(0.1)
            raise AssertionError(f"the browser saves nothing within {SECONDS} s")
        finally:
            browser.kill()
            browser.wait()


def main():
    found = save(hand_in(okd.token()))
    assert found == {SAVED_AS: PAGE}, found


if __name__ == "__main__":
    main()
