"""Hands in documents at the stack that .ci/deploy has deployed, and waits for what the bus says of them.

Besides OKD_API and OKD_ISSUER (tests/clients/okd.py) it needs STACK, AWS_ENDPOINT_URL and OKD_HOST, the API's own host.
"""

import hashlib
import json
import os
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urljoin

import boto3
import okd
import urllib3

STACK = os.environ["STACK"]
EVENT_SECONDS = 60
# Sends again after a 503, as senders are told to.
RETRIES = urllib3.Retry(3, status_forcelist=[503], allowed_methods=None, raise_on_status=False)
http = urllib3.PoolManager(ca_certs=os.environ.get("AWS_CA_BUNDLE"), retries=RETRIES)
sqs, s3 = boto3.client("sqs"), boto3.client("s3")


class Events:
    """The events of a tenant, in a queue behind a rule of its own, as docs/events.md says."""

    def __init__(self, bus):
        self.queue = sqs.create_queue(QueueName="dms")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events = boto3.client("events")
        pattern = {"source": ["okd.documents"], "detail": {"tenant": ["school-a"]}}
        rule = events.put_rule(EventBusName=bus, Name="school-a", EventPattern=json.dumps(pattern))["RuleArn"]
        events.put_targets(EventBusName=bus, Rule="school-a", Targets=[{"Id": "dms", "Arn": arn}])
        statement = {
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        self.heard = {}

    def wait_for(self, kind, document):
        """Waits for a document's event of this kind, and returns its detail."""
        until = time.monotonic() + EVENT_SECONDS
        while (kind, document) not in self.heard:
            assert time.monotonic() < until, f"no {kind} of {document}; heard {sorted(self.heard)}"
            received = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in received.get("Messages", []):
                event = json.loads(message["Body"])
                self.heard[event["detail-type"], event["detail"]["dmsDocumentId"]] = event["detail"]
        return self.heard[kind, document]


def call(method, url, **request):
    """Sends a request with the token, and returns the status and text of its answer."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": os.environ["OKD_HOST"]}
    answer = http.request(method, url, headers=headers, **request)
    return answer.status, answer.data.decode()


def inline(message, file):
    """Hands in a file inline, in form A."""
    metadata = (None, json.dumps(message), "application/json")
    return call("PUT", okd.URL, fields={"metadata": metadata, "file": ("a.pdf", file, "application/pdf")})


def send_parts(file, **more):
    """Begins an upload, form B, and sends its parts; returns the offer."""
    status, text = call("PUT", okd.URL, json=okd.metadata(size=len(file), **more))
    assert status == 202, f"{status}: {text}"
    offer = json.loads(text)
    for part in offer["upload"]["parts"]:
        body = file[part["offset"] : part["offset"] + part["size"]]
        sent = http.request("PUT", part["href"], body=body)
        assert sent.status == 200, sent.data
    return offer


def complete(offer):
    """Completes an upload; returns the status and text of the answer."""
    complete = offer["upload"]["complete"]
    return call(complete["method"], urljoin(okd.API, complete["href"]))


def by_parts(file, **more):
    """Hands in a file by parts and returns the document's id, once its bytes have been compared."""
    offer = send_parts(file, **more)
    until = time.monotonic() + EVENT_SECONDS
    while (answer := complete(offer))[0] == 202 and time.monotonic() < until:
        time.sleep(0.2)
    return okd.stored(*answer)


def tick(function, later):
    """Calls a function as the clock does, with a time so much later than now."""
    at = (datetime.now(timezone.utc) + later).isoformat()
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "time": at, "detail": {}}
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()


def logged(stack):
    """Yields every line that the functions have logged."""
    for log in ("ApiLog", "ReconcileLog", "AnnounceLog"):
        group = stack.Resource(log).physical_resource_id
        for page in boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group):
            yield from (event["message"] for event in page["events"])


def main():
    stack = boto3.resource("cloudformation").Stack(STACK)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.outputs}
    events = Events(outputs["BusName"])
    file = bytes(okd.TWO_PARTS)

    def stored_bytes(document):
        key = events.wait_for("document.stored", document)["object"]["key"]
        return s3.get_object(Bucket=outputs["Files"], Key=key)["Body"].read()

    okd.inline(inline)
    assert stored_bytes(okd.stored(*inline(okd.metadata(), okd.FILE))) == okd.FILE
    print("inline: stored and announced")

    document = by_parts(file, documentChecksum=f"sha-256:{hashlib.sha256(file).hexdigest()}")
    assert stored_bytes(document) == file
    events.wait_for("document.verified", document)
    print("by parts: stored, verified and announced")

    wrong = send_parts(file, documentChecksum=f"sha-256:{'0' * 64}")
    status, text = complete(wrong)
    assert status == 202, f"{status}: {text}"
    events.wait_for("document.corrupt", wrong["dmsDocumentId"])
    print("by parts with a wrong SHA-256: found corrupt")

    document = send_parts(file)["dmsDocumentId"]
    tick(stack.Resource("ReconcileFunction").physical_resource_id, timedelta(hours=1))
    assert stored_bytes(document) == file
    print("by parts, never completed: finished by the sweep")

    abort = send_parts(file)["upload"]["abort"]
    status, text = call(abort["method"], urljoin(okd.API, abort["href"]))
    assert status == 204, f"{status}: {text}"
    print("by parts, aborted")

    status, text = call("GET", f"{okd.API}/nothing")
    assert (status, json.loads(text)["type"]) == (404, "urn:problem-type:okd:no-such-route"), f"{status}: {text}"
    letters = sqs.receive_message(QueueUrl=outputs["DeadLetters"]).get("Messages", [])
    assert not letters, letters
    denied = [line for line in logged(stack) if "AccessDenied" in line]
    assert not denied, denied


TOKEN = okd.token()
main()
