"""httpx: a form with a file, and a file that follows in parts."""

import json

import httpx
import okd


def main():
    authorization = {"Authorization": f"Bearer {okd.token()}"}
    with httpx.Client(timeout=60) as http:

        def send(message, file):
            files = [
                ("metadata", (None, json.dumps(message), "application/json")),
                ("file", ("één scan.pdf", file, "application/pdf")),
            ]
            answer = http.put(okd.URL, headers=authorization, files=files)
            return answer.status_code, answer.text

        okd.inline(send)

        file = bytes(okd.TWO_PARTS)
        answer = http.post(okd.URL, headers=authorization, json=okd.metadata(size=len(file)))
        assert answer.status_code == 202, answer.text
        upload = answer.json()["upload"]
        for part in upload["parts"]:
            sent = http.put(part["href"], content=file[part["offset"] : part["offset"] + part["size"]])
            assert sent.status_code == 200, sent.text
        answer = http.post(okd.API + upload["complete"]["href"], headers=authorization)
        assert okd.stored(answer.status_code, answer.text)


main()
