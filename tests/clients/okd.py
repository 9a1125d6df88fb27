"""Messages and checks that the clients share. Where the service is, its starter says: OKD_API and OKD_ISSUER."""

import json
import os
import urllib.parse
import urllib.request
import uuid

API = os.environ["OKD_API"]
ISSUER = os.environ["OKD_ISSUER"]
ASSOCIATION = "123e4567-e89b-12d3-a456-426614174000"
PATH = f"/okd/v1/associations/{ASSOCIATION}"
URL = API + PATH
TWO_PARTS = 16 * 2**20 + 5


def token():
    """A token for a client of its own."""
    form = {"grant_type": "client_credentials", "client_id": f"client-{uuid.uuid4()}", "scope": "okd:alldocuments"}
    with urllib.request.urlopen(f"{ISSUER}/token", urllib.parse.urlencode(form).encode()) as answer:
        return json.load(answer)["access_token"]


def metadata(document_type="examination", size=None, **more):
    """The metadata of a document with a documentId of its own, or with the one given."""
    consumer = {
        "consumerKey": "nl-okd",
        "documentType": document_type,
        "documentId": str(uuid.uuid4()),
        "documentName": "één beoordeling.pdf",
    }
    if size is not None:
        consumer["documentSize"] = size
    return {"associationId": ASSOCIATION, "consumers": [consumer | more]}


def stored(status, text):
    """The id of a document that is stored."""
    assert status == 200, f"{status}: {text}"
    return json.loads(text)["dmsDocumentId"]


# Line ends of every kind, a hyphened line, and bytes that are no text.
FILE = b"%PDF-1.7 a file\r\n--\r\n\n\r\x00\xff\xe9\r\n"


def inline(send):
    """Hands in with `send(metadata, file)`, which gives status and text: a repeat has the same id, another type another."""
    message = metadata()
    first = stored(*send(message, FILE))
    assert stored(*send(message, FILE)) == first, "a repeat has another id"
    message["consumers"][0]["documentType"] = "bpv"
    assert stored(*send(message, FILE)) != first, "two types have one id"
