"""The console of the local cloud, in Chromium: a file that is handed in there is soon a stored document with its event.

Screenshots of it, light, dark and on a phone, go to target/console.
"""

import asyncio
import base64
import subprocess
import tempfile
from pathlib import Path

import aiohttp
import chromium
import okd
from recipes import ROOT, Page

SCREENS = {
    "light": (1280, 900, "light"),
    "dark": (1280, 900, "dark"),
    "phone": (390, 844, "light"),
}
# A file as if it had been chosen.
CHOOSE = """
(() => {
    const page = document.getElementById("put").contentDocument;
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(20 * 2 ** 20).fill(7)], "opname.mp4", { type: "video/mp4" }));
    const input = page.getElementById("file");
    input.files = files.files;
    input.dispatchEvent(new Event("change"));
})()
"""
TEXT = "document.body.innerText"
ROWS = "[...document.querySelectorAll('#documents tr')].map((row) => row.innerText).join()"
EVENTS = "document.getElementById('events').innerText"


async def look(page):
    await page.until("document.getElementById('live').textContent === 'live'")
    await page.until("document.getElementById('put').contentDocument.getElementById('token')?.value")
    await page.value(CHOOSE)
    await page.until(f"{ROWS}.includes('stored') && {EVENTS}.includes('document.stored')")
    # A request that is refused is explained.
    await page.value("fetch('/okd/v1/associations/123e4567-e89b-12d3-a456-426614174000', { method: 'PUT' })")
    await page.until(f"{TEXT}.includes('401')")
    assert "No valid access token" in await page.value("document.getElementById('requests').textContent")
    # A page that is opened later knows what happened.
    await page.call("Page.reload")
    await page.until(f"{ROWS}.includes('stored') && {EVENTS}.includes('document.stored')")
    folder = ROOT / "target" / "console"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height, scheme) in SCREENS.items():
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": name == "phone"}
        await page.call("Emulation.setDeviceMetricsOverride", **size)
        await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        too_wide = await page.value("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not too_wide, f"on a {name} page one has to scroll to the side"
        shot = await page.call("Page.captureScreenshot", captureBeyondViewport=True)
        (folder / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
    # Everything that can be pressed is reached by the keyboard.
    reached = await page.value("[...document.querySelectorAll('button, a, summary, .scroll, iframe')].every((one) => one.tabIndex >= 0)")
    assert reached, "something is not reached by the keyboard"


async def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *chromium.FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", f"{okd.API}/"]
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
                    await look(Page(socket))
        finally:
            browser.kill()
            browser.wait()


asyncio.run(main())
