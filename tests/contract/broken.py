"""Breaks the contract against each rule of the linter, and asks that the linter says so: broken.py SPECTRAL."""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CONTRACT = json.loads(Path("functions/api/src/openapi.json").read_text())
RULES = ".ci/nl-api-design-rules.yaml"
GET = "/paths/~1documents~1{dmsDocumentId}~1upload/get"

# Where, and what stands there then; without it nothing does.
BROKEN = {
    "core/doc-openapi": ("/openapi", "3"),
    "core/doc-openapi-contact": ("/info/contact/email",),
    "core/semver": ("/info/version", "1"),
    "core/uri-version": ("/servers/0/url", "https://dms.example/okd"),
    "core/no-trailing-slash": ("/paths/~1documents~1", {}),
    "core/path-segments-kebab-case": ("/paths/~1exam_results", {}),
    "core/query-keys-camel-case": ("/components/parameters/upload/name", "Upload_id"),
    "core/http-methods": ("/paths/~1/get",),
    "core/publish-openapi": ("/paths/~1openapi.json/get/security",),
    "core/version-header": ("/components/responses/Stored/headers/API-Version",),
    "core/error-handling/problem-details": ("/components/responses/NotStored/content", {"application/json": {}}),
    "core/error-handling/problem-details-members": ("/components/schemas/Problem/required", ["status", "title"]),
    "core/error-handling/invalid-input": (GET + "/responses/400",),
    "core/date-time/format": ("/components/schemas/Part/properties/expiresAt", {"type": "string"}),
    "core/schema-names": ("/components/schemas/part", {"type": "object"}),
}


def broken(place, *value):
    """The contract with this in that place."""
    contract = copy.deepcopy(CONTRACT)
    *above, last = [step.replace("~1", "/") for step in place.split("/")[1:]]
    inside = contract
    for step in above:
        inside = inside[int(step) if isinstance(inside, list) else step]
    if value:
        inside[last] = value[0]
    else:
        del inside[last]
    return json.dumps(contract)


with tempfile.TemporaryDirectory() as folder:
    names = {}
    for number, (rule, how) in enumerate(BROKEN.items()):
        file = Path(folder) / f"{number}.json"
        file.write_text(broken(*how))
        names[rule] = file
    command = [sys.argv[1], "lint", "--ruleset", RULES, "--format", "json", "--quiet", *map(str, names.values())]
    found = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    for rule, file in names.items():
        said = {finding["code"] for finding in found if Path(finding["source"]).name == file.name}
        assert rule in said, f"{rule} is not asked for: {sorted(said)}"
rules = {line.strip().rstrip(":") for line in Path(RULES).read_text().splitlines() if line.startswith("  core/")}
assert rules == set(BROKEN), rules ^ set(BROKEN)
print(f"the linter finds what breaks each of its {len(rules)} rules")
