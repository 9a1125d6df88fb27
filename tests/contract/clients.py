"""Writes the tokens of two clients, who must not see each other's documents, as schemathesis wants them."""

import json
import os
import sys
import urllib.parse
import urllib.request


def token(client):
    form = {"grant_type": "client_credentials", "client_id": client, "scope": "okd:alldocuments", "audience": "contract"}
    with urllib.request.urlopen(os.environ["OKD_ISSUER"] + "/token", urllib.parse.urlencode(form).encode()) as answer:
        return json.load(answer)["access_token"]


clients = [
    {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token(name)}"}]} for name in ("one", "two")
]
with open(sys.argv[1], "w") as file:
    json.dump({"auth": clients}, file)
