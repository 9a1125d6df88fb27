"""requests-oauthlib: client credentials by HTTP Basic, then a form as requests makes it."""

import json
import os

import okd
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

# The local issuer speaks HTTP, on loopback.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


def main():
    client = BackendApplicationClient(client_id="sis met: één", scope=["okd:alldocuments"])
    session = OAuth2Session(client=client)
    # RFC 6749, section 2.3.1: id and secret are encoded before they are joined.
    session.fetch_token(f"{okd.ISSUER}/token", auth=HTTPBasicAuth("sis+met%3A+%C3%A9%C3%A9n", "gehe%3Aim"))

    def send(message, file):
        files = {
            "metadata": (None, json.dumps(message), "application/json"),
            "file": ("één scan.pdf", file, "application/pdf"),
        }
        answer = session.put(okd.URL, files=files)
        return answer.status_code, answer.text

    okd.inline(send)


main()
