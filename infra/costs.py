#!/usr/bin/env python3
"""What the service costs: a model, printed as the tables that stand in docs/operating/cost.md between its two `costs` markers.
With --check it compares them.

It counts what is called, times AWS's list prices, with no free tier and no volume discount. It leaves out what is the
sender's or the reader's: transfer into AWS costs nothing, and nothing is read out by this service.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The calls to AWS of each use case, in their order, as the bench has counted them in the real code (docs/performance.md).
CALLS = json.loads((ROOT / "docs/performance.json").read_text())["calls"]["figures"]

# US dollars, eu-central-1, as of September 2026: AWS's price lists (pricing.us-east-1.amazonaws.com/offers) of May to
# September 2026, as others quote them; they could not be fetched here.
GATEWAY = 3.70 / 1e6  # REST API, a request
LAMBDA = 0.20 / 1e6  # an invocation
GB_SECOND = 0.0000133334  # arm64
S3_PUT = 0.0054 / 1e3  # also a part, a completion, a list
S3_GET = 0.00043 / 1e3  # also a HEAD
S3_GB = 0.0245  # a GB for a month, Standard
WRITE = 0.7625 / 1e6  # DynamoDB on demand: 1 KB written; twice that in a transaction
READ = 0.1525 / 1e6  # 4 KB read consistently
TABLE_GB = 0.306 + 0.2448  # a GB for a month, and its PITR
EVENT = 1.00 / 1e6  # a custom event
S3_EVENT = 1.00 / 1e6  # S3's, which one opts in to; NOT VERIFIED for this region, us-east-1's is meant
ARCHIVE_GB = 0.12 + 0.0245
LOG_GB = 0.63 + 3 * 0.0324  # taken in, and kept for LogDays' 90
METRIC = 0.30  # a series that has values all month; charged by the hour
HOURS = 730  # of a month
ALARM = 0.10
DASHBOARD = 3.00
VCPU_HOUR, GB_HOUR = 0.04656, 0.00511  # Fargate
DISK_HOUR = 0.000111  # a GB of a task's disk beyond 20; NOT VERIFIED for this region, us-east-1's is meant
BALANCER_HOUR, BALANCED_GB = 0.0270, 0.0080  # an Application Load Balancer, and a capacity unit: 1 GB in an hour
TRACE = 5.00 / 1e6  # X-Ray, of an invocation, with Tracing=Active

KB, MB, GB = 1e3, 1e6, 1e9
MIB, GIB = 2**20, 2**30

ITEM_KB = 3  # a document's item, of 2 to 4 KB
LINKS = 3  # entries by which a document is found: its association, person and student number, say
STORED = 2 * (ITEM_KB + LINKS) * WRITE  # the item, and its entries
COUNTED = 2 * (ITEM_KB + 1) * WRITE  # the item, and the tenant's count of open uploads
INDEXED = WRITE  # an item enters the index of what is due, or leaves it
API_SECONDS = 0.1  # at 1 GB; longer where S3 puts many parts together
LOGGED = 3 * KB  # by a request: access log, our lines, Lambda's own


def parts(size):
    """As functions/core/src/parts.rs cuts: 16 MiB, and never more than 1,000."""
    part = max(16 * MIB, -(-size // 1000 // MIB) * MIB)
    return int(-(-size // part))


def announced(changes):
    """Each change of an item wakes the announce function; at worst each one by itself."""
    event = EVENT + ARCHIVE_GB * KB / GB
    return changes * (LAMBDA + 0.25 * 0.05 * GB_SECOND + 2 * KB / GB * LOG_GB) + event


# What a call costs where that does not depend on what it is about. (AWS charges nothing to abort.)
PRICES = {
    "PutObject": S3_PUT,
    "CreateMultipartUpload": S3_PUT,
    "CompleteMultipartUpload": S3_PUT,
    "ListParts": S3_PUT,
    "AbortMultipartUpload": 0,
    "HeadObject": S3_GET,
    "GetItem": READ,
    "Query": READ,
}


def priced(use_case, transaction):
    """The calls of a use case to S3 and to DynamoDB, where a transaction costs so much."""
    calls = CALLS[use_case]
    prices = {**PRICES, "TransactWriteItems": transaction}
    dynamodb = sum(prices[call] for call in calls if call in ("GetItem", "Query", "TransactWriteItems"))
    return sum(prices[call] for call in calls) - dynamodb, dynamodb


RECONCILED = (
    S3_EVENT + LAMBDA + 0.05 * GB_SECOND + READ + 2 * KB / GB * LOG_GB
)  # S3 tells of an object: look at its item


# A request to the API, and the transactions by which an upload begins and ends.
REQUEST = GATEWAY + LAMBDA + API_SECONDS * GB_SECOND + LOGGED / GB * LOG_GB
BEGUN = COUNTED + INDEXED + 2 * LINKS * WRITE
ENDED = COUNTED + INDEXED


def inline():
    s3, dynamodb = priced("PUT inline, new", STORED)
    return {"API": REQUEST, "S3": s3, "DynamoDB": dynamodb, "events": RECONCILED + announced(1)}


def by_parts(size):
    """The PUT, the parts, complete."""
    api = 2 * REQUEST + parts(size) * 0.01 * GB_SECOND
    begun = priced("PUT by parts, new", BEGUN)
    completed = priced("complete", ENDED)
    s3, dynamodb = (sum(costs) for costs in zip(begun, completed))
    return {"API": api, "S3": s3 + parts(size) * S3_PUT, "DynamoDB": dynamodb, "events": RECONCILED + announced(2)}


def repeated(use_case):
    """A PUT by parts that was sent before. The transaction is refused, and costs what it would have."""
    return REQUEST + sum(priced(use_case, BEGUN))


def read_back(size):
    """A declared SHA-256: 1 GiB is read in 10 s, and the item written once more."""
    read = S3_GET + 10 * size / GIB * GB_SECOND
    return read + ITEM_KB * WRITE + INDEXED + announced(1)


ALARMED = 22  # series that the alarms watch; a test of the template counts them
SWEEPS = 60 * 24 * 30
INVOCATIONS = 3  # of functions, for a document: api, reconcile, announce

# Series of ours: the sweep's delay is always there, the others in hours in which something happens.
FEW = 3 + 1 + 2 + 3  # documents by outcome, changes, refusals by problem, what the sweep met
ALL = 2 * 7 + 1 + 2 + 3 + 17 + 3 + 1  # by form too and their bytes, calls to AWS, cold starts, announced


def standing(hours, documents=0, full=False):
    """A month of a stack in which something happens in so many hours; `full` with all metrics, traces and the dashboard."""
    sweep = LAMBDA + 0.1 * GB_SECOND + 8 * 0.5 * READ + 1.5 * KB / GB * LOG_GB
    costs = {
        "the sweep": SWEEPS * sweep,
        "metrics": METRIC + (ALL if full else FEW) * METRIC * hours / HOURS,
        "alarms": ALARMED * ALARM,
    }
    if full:
        costs["traces"] = (SWEEPS + INVOCATIONS * documents) * TRACE
        costs["the dashboard"] = DASHBOARD
    return costs


# A month's documents of a school or of many, and the hours in which they come. Most of them are single PDFs.
SCHOOLS = [("nobody", 0, 0), ("one school", 2_000, 220), ("ten schools", 20_000, 330), ("many schools", 500_000, HOURS)]
MIX = [(0.95, 200 * KB), (0.045, 100 * MB), (0.005, GB)]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "-|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def dollars(value, digits=2):
    return f"{value:,.{digits}f}"


def per_thousand():
    forms = [("inline, 200 KB", inline(), 200 * KB)]
    forms += [(f"by parts, {name}", by_parts(size), size) for name, size in (("100 MB", 100 * MB), ("1 GiB", GIB))]
    rows = []
    for name, cost, size in forms:
        columns = [cost["API"], cost["S3"], cost["DynamoDB"], cost["events"], sum(cost.values())]
        verified = dollars(1000 * read_back(size), 3) if size > 4 * MIB else "at once"
        kept = 1000 * (size / GB * S3_GB + ITEM_KB * KB / GB * TABLE_GB)
        rows.append([name, *(dollars(1000 * column, 3) for column in columns), verified, dollars(kept)])
    head = [
        "1,000 documents, in $",
        "API",
        "S3",
        "DynamoDB",
        "events",
        "handed in",
        "a SHA-256 read back",
        "kept, a month",
    ]
    return table(head, rows)


def handed_in(size):
    return sum((inline() if size < 4 * MIB else by_parts(size)).values())


def of_mix(cost):
    """A document of the mix on average, by what one of each size costs, or weighs."""
    return sum(share * cost(size) for share, size in MIX)


def per_month():
    rows = []
    for name, documents, hours in SCHOOLS:
        handing_in = documents * of_mix(handed_in)
        grown = documents * of_mix(lambda size: size)
        kept = (12 * grown / GB) * S3_GB + 12 * documents * ITEM_KB * KB / GB * TABLE_GB
        still = sum(standing(hours).values())
        full = sum(standing(hours, documents, full=True).values())
        columns = [handing_in, still, kept, handing_in + still + kept, full]
        rows.append([name, f"{documents:,}", f"{grown / GB:,.0f} GB", *(dollars(column) for column in columns)])
    head = ["a month, in $", "documents", "new", "handing in", "standing", "kept after a year", "together", "standing, all on"]
    return table(head, rows)


def per_part_size():
    rows = []
    for size in (5, 8, 16, 32, 64, 256, 1024):
        count = 1024 // size + (1024 % size > 0)
        lost = size / 2 * MIB * 8 / 20e6
        rows.append([f"{size} MiB", str(count), dollars(1000 * (3 + count) * S3_PUT), f"{lost:,.0f} s"])
    return table(["parts of", "for 1 GiB", "S3, 1,000 documents, in $", "a break loses, at 20 Mbit/s"], rows)


LINE = 20e6 / 8  # bytes a second that a school's line takes up: the time for which whatever takes the bytes itself waits
BODY = 6 * MB  # of a request that Lambda takes, at most


def through_lambda(size):
    """A function that takes the bytes itself, in as many requests as that takes, and waits for each as long as the line does."""
    requests = -(-size // BODY)
    return requests * (GATEWAY + LAMBDA + S3_PUT) + size / LINE * GB_SECOND + STORED


def two_tasks(vcpu, memory, disk=20):
    """Two tasks in Fargate, so that one may fail, behind a load balancer, all month. Memory and disk in GB."""
    task = vcpu * VCPU_HOUR + memory * GB_HOUR + (disk - 20) * DISK_HOUR
    return (2 * task + BALANCER_HOUR) * HOURS


def container(size_of_a_month):
    return two_tasks(0.25, 0.5) + size_of_a_month / GB * BALANCED_GB


def alternatives():
    rows = []
    for name, documents, hours in SCHOOLS[1:]:
        still = sum(standing(hours).values())
        ours = still + documents * of_mix(handed_in)
        lambdas = still + documents * of_mix(through_lambda)
        containers = container(documents * of_mix(lambda size: size)) + documents * (S3_PUT + STORED)
        rows.append([name, dollars(ours), dollars(lambdas), dollars(containers)])
    head = ["a month without what is kept, in $", "as it is", "the bytes through Lambda", "the bytes through a container"]
    return table(head, rows)


def text():
    still = ", ".join(f"{what} {dollars(cost)}" for what, cost in standing(220).items())
    mix = ", ".join(f"{share:.1%} of {size / MB:g} MB" for share, size in MIX)
    return "\n".join([
        per_thousand(), "", per_month(), "",
        f"(The documents are {mix}. Standing, of one school: {still}.)", "", alternatives(), "",
        f"(The relay as infra/relay.yaml has it, two tasks of 1 vCPU, 2 GB and a disk of 100 GB: ${two_tasks(1, 2, 100):.0f} a month, and "
        f"${1000 * BALANCED_GB:.0f} for each TB that comes.)", "",
        f"(Of a document by parts, a repeat while parts are missing costs ${1000 * repeated('PUT by parts, repeated while parts are missing'):.3f} "
        f"for each 1,000, and one when it is stored ${1000 * repeated('PUT by parts, repeated when stored'):.3f}.)", "", per_part_size(),
    ])  # fmt: skip


def main():
    if sys.argv[1:] != ["--check"]:
        print(text())
        return
    page = (ROOT / "docs/operating/cost.md").read_text()
    _, _, rest = page.partition("<!-- costs -->\n")
    if rest.partition("\n<!-- /costs -->")[0].strip() != text():
        sys.exit("the costs of docs/operating/cost.md are not those that infra/costs.py prints")


if __name__ == "__main__":
    main()
