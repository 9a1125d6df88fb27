"""Hands in a document of any size: put.py METADATA FILE. Prints its id. The same again goes on where it stopped.

Needs requests. OKD_URL is the base URL of the service, OKD_TOKEN a token.
"""

import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter, Retry

URL, TOKEN = os.environ["OKD_URL"], os.environ["OKD_TOKEN"]
AGAIN = HTTPAdapter(max_retries=Retry(8, backoff_factor=0.2, status_forcelist=(429, 500, 503), allowed_methods=None))


def session(headers):
    made = requests.Session()
    made.headers.update(headers)
    made.mount("https://", AGAIN)
    made.mount("http://", AGAIN)
    return made


service, s3 = session({"Authorization": f"Bearer {TOKEN}"}), session({})  # no token goes to S3


def send(path, part):
    with open(path, "rb") as file:
        file.seek(part["offset"])
        answer = s3.put(part["href"], data=file.read(part["size"]), timeout=300)
    if answer.ok:  # a URL that was too old is renewed below
        print(f"part {part['partNumber']} has arrived", file=sys.stderr, flush=True)


def put(metadata, path):
    # The checksum tells the service that a repeat is the same document, and that every byte has come over.
    digest = hashlib.file_digest(open(path, "rb"), "sha256").hexdigest()
    metadata["consumers"][0] |= {"documentSize": os.path.getsize(path), "documentChecksum": f"sha-256:{digest}"}
    answer = service.put(f"{URL}/okd/v1/associations/{metadata['associationId']}", json=metadata, timeout=60)
    while answer.status_code != 200:
        if answer.status_code not in (202, 409):
            sys.exit(f"refused with {answer.status_code}: {answer.text}")
        upload = answer.json()["upload"]
        with ThreadPoolExecutor(4) as four:
            list(four.map(lambda part: send(path, part), upload.get("parts", [])))
        if "complete" in upload:
            complete = urljoin(URL, upload["complete"]["href"])
        else:
            time.sleep(2)  # S3 still joins the parts, or they are compared
        answer = service.post(complete, timeout=60)
    return answer.json()["dmsDocumentId"]


print(put(json.load(open(sys.argv[1], encoding="utf-8")), sys.argv[2]))
