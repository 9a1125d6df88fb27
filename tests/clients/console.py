"""The console of the local cloud, in Chromium: a file that is handed in there is soon a stored document with its event.

Screenshots of it, light, dark and on a phone, go to target/console.
"""

import asyncio
import base64

import okd
from recipes import ROOT, in_browser

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


asyncio.run(in_browser(f"{okd.API}/", look))
