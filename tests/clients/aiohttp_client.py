"""aiohttp: a form with its own defaults, and parts that are sent at once."""

import asyncio
import json

import aiohttp
import okd


async def hand_in(http, message, file):
    form = aiohttp.FormData()
    form.add_field("metadata", json.dumps(message), content_type="application/json")
    form.add_field("file", file, filename="één scan.pdf")
    async with http.post(okd.URL, data=form) as answer:
        return answer.status, await answer.text()


async def send_part(bare, part, file):
    data = file[part["offset"] : part["offset"] + part["size"]]
    # aiohttp adds a Content-Type by itself, which the URL has not signed and S3 lets pass.
    async with bare.put(part["href"], data=data) as answer:
        assert answer.status == 200, await answer.text()


async def main():
    authorization = {"Authorization": f"Bearer {okd.token()}"}
    async with aiohttp.ClientSession(headers=authorization) as http, aiohttp.ClientSession() as bare:
        message = okd.metadata()
        ids = []
        for document_type in ["examination", "examination", "bpv"]:
            message["consumers"][0]["documentType"] = document_type
            ids.append(okd.stored(*await hand_in(http, message, okd.FILE)))
        assert ids[0] == ids[1] != ids[2], ids

        file = bytes(okd.TWO_PARTS)
        async with http.put(okd.URL, json=okd.metadata(size=len(file))) as answer:
            assert answer.status == 202, await answer.text()
            upload = (await answer.json())["upload"]
        await asyncio.gather(*(send_part(bare, part, file) for part in upload["parts"]))
        async with http.post(okd.API + upload["complete"]["href"]) as answer:
            assert okd.stored(answer.status, await answer.text())


asyncio.run(main())
