"""Each recipe of client/recipes hands in 64 MiB: it is killed in the middle, run again, and goes on where it stopped.

Usage: recipes.py PORT: the service knows pages of http://127.0.0.1:PORT. A screenshot of the page goes to target/recipes.
"""

import asyncio
import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import aiohttp
import chromium
import okd

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "client" / "recipes"
PARTS = 4
SIZE = 64 * 2**20
PROGRAMS = {
    "put.sh": ["bash"],
    "put.py": [sys.executable],
    "put.mjs": ["node"],
    "Put.java": ["java"],
    "put.php": ["php"],
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def sha256_of(document, token):
    """Reads a document back, from where the service says it is."""
    url = f"{okd.API}/okd/v1/documents/{document}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        answer = urllib.request.build_opener(NoRedirect).open(request)
    except urllib.error.HTTPError as redirect:
        assert redirect.code == 307, redirect
        answer = urllib.request.urlopen(redirect.headers["Location"])
    with answer:
        return hashlib.file_digest(answer, "sha256").hexdigest()


def run(recipe, arguments, token, is_killed):
    """Runs a recipe; gives what it printed and how many parts it sent. One that is killed is so after its first part."""
    environment = os.environ | {"OKD_URL": okd.API, "OKD_TOKEN": token}
    command = [*PROGRAMS[recipe], str(RECIPES / recipe), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, env=environment, text=True, start_new_session=True, **pipes)
    sent, said = 0, []
    for line in process.stderr:
        said.append(line)
        if "has arrived" in line:
            sent += 1
            if is_killed:
                os.killpg(process.pid, signal.SIGKILL)
                break
    printed = process.stdout.read()
    process.wait()
    assert is_killed or process.returncode == 0, f"{recipe}: {''.join(said)}"
    return printed.strip(), sent


def check(recipe, folder, file, digest):
    token = okd.token()
    metadata = folder / f"{recipe}.json"
    metadata.write_text(json.dumps(okd.metadata()))
    arguments = [str(metadata), str(file)]
    run(recipe, arguments, token, is_killed=True)
    document, sent = run(recipe, arguments, token, is_killed=False)
    assert sent < PARTS, f"{recipe} sent {sent} parts again"
    assert sha256_of(document, token) == digest, f"{recipe} handed in other bytes"
    again, sent = run(recipe, arguments, token, is_killed=False)
    assert (again, sent) == (document, 0), f"{recipe}: a repeat is {again}, by {sent} parts"
    lines = len((RECIPES / recipe).read_text().splitlines())
    assert lines < 60, f"{recipe} has {lines} lines"
    print(f"{recipe}: {document}", flush=True)


class Page:
    """The page in a browser, driven by the DevTools protocol."""

    def __init__(self, socket):
        self.socket, self.number = socket, 0

    async def call(self, method, **parameters):
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        async for message in self.socket:
            answer = json.loads(message.data)
            if answer.get("id") == self.number:
                return answer["result"]

    async def value(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, expression):
        for _ in range(1200):
            if value := await self.value(expression):
                return value
            await asyncio.sleep(0.05)
        raise AssertionError(f"never: {expression}; the page says {await self.value('document.body.innerText')}")

    async def choose(self, file, token):
        await self.until("document.readyState === 'complete' && document.ondrop !== null")
        await self.value(f"document.getElementById('token').value = {json.dumps(token)}")
        document = await self.call("DOM.getDocument")
        node = await self.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="#file")
        await self.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])


async def in_browser(url, look, *flags):
    """Opens the URL in Chromium, and gives what `look` gives of the page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *chromium.FLAGS, *flags, f"--user-data-dir={profile}", "--remote-debugging-port=0", url]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            endpoint = Path(profile) / "DevToolsActivePort"
            while not endpoint.exists() or not endpoint.read_text().strip():
                await asyncio.sleep(0.05)
            devtools = f"http://127.0.0.1:{endpoint.read_text().splitlines()[0]}"
            async with aiohttp.ClientSession() as http:
                pages = await (await http.get(f"{devtools}/json/list")).json(content_type=None)
                target = next(page for page in pages if page["type"] == "page")
                async with http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    return await look(Page(socket))
        finally:
            browser.kill()
            browser.wait()


async def check_page(port, file, digest):
    token = okd.token()
    page = (RECIPES / "put.html").read_text()
    assert len(page.splitlines()) < 60, "put.html is too long"
    set_up = file.with_name("put.html")
    set_up.write_text(page.replace('name="okd-url" content=""', f'name="okd-url" content="{okd.API}"'))
    server, _ = chromium.serve(port, set_up)

    async def hand_in(page):
        await page.choose(file, token)
        await page.until("document.getElementById('progress').value > 0")
        await page.call("Page.reload")
        await page.choose(file, token)
        said = await page.until("document.getElementById('said').textContent")
        assert said.startswith("stored: "), said
        return said, await page.call("Page.captureScreenshot")

    try:
        said, shot = await in_browser(f"http://127.0.0.1:{port}/", hand_in, "--window-size=800,500")
    finally:
        server.shutdown()
    target = ROOT / "target" / "recipes"
    target.mkdir(parents=True, exist_ok=True)
    (target / "page.png").write_bytes(base64.b64decode(shot["data"]))
    document = said.removeprefix("stored: ")
    assert sha256_of(document, token) == digest, "the page handed in other bytes"
    print(f"put.html: {document}", flush=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        file = folder / "recording.mp4"
        file.write_bytes(os.urandom(SIZE))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        for recipe in PROGRAMS:
            check(recipe, folder, file, digest)
        asyncio.run(check_page(int(sys.argv[1]), file, digest))


if __name__ == "__main__":
    main()
