"""A client that openapi-python-client generated from the contract hands documents in, in both forms, and reads them back."""

import io
import json
import os
import urllib.request
import uuid

from okd_client.api.changing import delete_document
from okd_client.api.handing_in import post_association_document, put_association_document
from okd_client.api.reading import get_document, get_document_metadata
from okd_client.api.service import get_contract
from okd_client.api.uploads import complete_upload, get_upload
from okd_client.client import AuthenticatedClient
from okd_client.models.association_form import AssociationForm
from okd_client.models.association_metadata import AssociationMetadata
from okd_client.models.association_offer import AssociationOffer
from okd_client.models.open_upload import OpenUpload
from okd_client.types import File

with open(os.environ["OKD_CLIENTS"]) as clients:
    token = json.load(clients)["auth"][0]["fixedHeaders"][0]["value"].removeprefix("Bearer ")
client = AuthenticatedClient(base_url=os.environ["OKD_API"] + "/okd/v1", token=token)
association = uuid.uuid4()


def metadata(**more):
    consumer = {"consumerKey": "nl-okd", "documentType": "examination", "documentId": str(uuid.uuid4())}
    return {"associationId": str(association), "consumers": [consumer | {"documentName": "beoordeling.pdf"} | more]}


def is_read_back(document, file):
    facts = get_document_metadata.sync(document, client=client)
    assert (facts.document_name, facts.document_size) == ("beoordeling.pdf", len(file)), facts
    read = get_document.sync(document, client=client)
    assert read.payload.getvalue() == file, read


inline = b"%PDF-1.4 a small exam"
form = AssociationForm(
    metadata=AssociationMetadata.from_dict(metadata()),
    file=File(payload=io.BytesIO(inline), file_name="exam.pdf", mime_type="application/pdf"),
)
stored = put_association_document.sync(association, client=client, body=form)
is_read_back(stored.dms_document_id, inline)

follows = os.urandom(70_000)
offer = AssociationOffer.from_dict(metadata(documentSize=len(follows)))
offered = post_association_document.sync(association, client=client, body=offer)
assert isinstance(offered.upload, OpenUpload), offered
for part in offered.upload.parts:
    piece = follows[part.offset : part.offset + part.size]
    urllib.request.urlopen(urllib.request.Request(part.href, data=piece, method="PUT")).close()
assert get_upload.sync(offered.dms_document_id, client=client).upload.parts_received == 1
assert complete_upload.sync(offered.dms_document_id, client=client).dms_document_id == offered.dms_document_id
is_read_back(offered.dms_document_id, follows)

deleted = delete_document.sync_detailed(stored.dms_document_id, client=client)
version = get_contract.sync(client=client)["info"]["version"]
assert (deleted.status_code, deleted.headers["API-Version"]) == (204, version), deleted
gone = get_document.sync(stored.dms_document_id, client=client)
assert gone.status == 404, gone
print("a generated client read back what it handed in")
