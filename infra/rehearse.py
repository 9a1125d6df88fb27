"""Expands template.yaml as AWS does, for its defaults, for dev, with everything on and with copies elsewhere, and compares
what comes of it with what it should be. Only what neither the tests nor .ci/deploy would notice is looked at: those run with the template's
routes, variables, keys, indexes, events and policies.
"""

import json
import logging
import os
import re
import sys
import tomllib

import costs
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

KEY = "arn:aws:kms:eu-central-1:000000000000:key/rehearsal"
TOPIC = "arn:aws:sns:eu-central-1:000000000000:alarms"
ALARMS = {
    "Api5xxAlarm", "ApiLatencyAlarm", "ApiErrorsAlarm", "DeadLettersAlarm", "SweepMissingAlarm", "SweepLagAlarm",
    "SweepFailedAlarm", "CorruptAlarm", "StraysAlarm", "AnnounceLagAlarm", "AnnounceMissingAlarm", "IssuersAlarm", "ThrottlesAlarm",
    "TablesAlarm",
}  # fmt: skip
ALARMS_OF_SCREENING = {"QuarantinedAlarm", "UnscreenedAlarm"}
RETAINED = {
    "DocumentsTable", "TenantsTable", "FilesBucket", "DeadLetters", "GatewayAccount", "GatewayAccountRole", "BackupVault",
}  # fmt: skip
DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
# What is denied to whoever puts files: to copy another's.
COPIES = ("s3:PutObject", None, {"Null": {"s3:x-amz-copy-source": "false"}})

failures = []


def want(what, got, expected):
    if got != expected:
        failures.append(f"{what}: {got!r}, and not {expected!r}")


class Expanded:
    """template.yaml as AWS::Serverless makes plain CloudFormation of it, for one set of parameters."""

    def __init__(self, given):
        source = yaml_parse(open("template.yaml").read())
        for resource in source["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = f"s3://code/{resource['Properties']['CodeUri']}"
        defaults = {name: parameter["Default"] for name, parameter in source["Parameters"].items()}
        self.parameters = {**defaults, **given}
        self.body = transform(source, dict(self.parameters), NoManagedPolicies())
        conditions = self.body["Conditions"]
        self.resources = {
            name: resource
            for name, resource in self.body["Resources"].items()
            if "Condition" not in resource or self.value(conditions[resource["Condition"]])
        }

    def value(self, value):
        """A value with its conditions decided and its parameters filled in; references to resources stay."""
        if isinstance(value, list):
            values = [self.value(item) for item in value]
            return [item for item in values if item != {"Ref": "AWS::NoValue"}]
        if not isinstance(value, dict):
            return value
        match [*value.items()]:
            case [("Fn::If", [condition, yes, no])]:
                return self.value(yes if self.value(self.body["Conditions"][condition]) else no)
            case [("Fn::Equals", [one, other])]:
                return str(self.value(one)) == str(self.value(other))
            case [("Fn::Not", [condition])]:
                return not self.value(condition)
            case [("Fn::Join", [separator, {"Ref": name}])] if name in self.parameters:
                return separator.join(str(self.parameters[name]).split(","))
            case [("Ref", name)] if name in self.parameters:
                return self.parameters[name]
        values = {key: self.value(item) for key, item in value.items()}
        return {key: item for key, item in values.items() if item != {"Ref": "AWS::NoValue"}}

    def properties(self, name):
        return self.value(self.resources.get(name, {}).get("Properties", {}))

    def of_type(self, kind):
        return {name: self.properties(name) for name, resource in self.resources.items() if resource["Type"] == kind}


class NoManagedPolicies:
    """SAM would ask IAM for the names of managed policies; this template names none that it has to look up."""

    def load(self):
        return {}


def look_at_functions(expanded):
    sizes = {"ApiFunction": (1024, 300 if expanded.parameters["ResponseTransferMode"] == "RESPONSE_STREAM" else 28), "ReconcileFunction": (1024, 300), "AnnounceFunction": (256, 60)}
    for name, size in sizes.items():
        function = expanded.properties(name)
        want(f"{name}, its runtime", function["Runtime"], "provided.al2023")
        want(f"{name}, its architecture", function["Architectures"], [expanded.parameters["Architecture"]])
        want(f"{name}, its memory and timeout", (function["MemorySize"], function["Timeout"]), size)
        want(f"{name}, its tracing", function["TracingConfig"], {"Mode": expanded.parameters["Tracing"]})
        log = {"LogGroup": {"Ref": name.replace("Function", "Log")}, "LogFormat": "JSON"}
        want(f"{name}, its log", function["LoggingConfig"], log)
        reserved = expanded.parameters[name.replace("Function", "Concurrency")] or None
        want(f"{name}, its concurrency", function.get("ReservedConcurrentExecutions"), reserved)
        look_at_role(expanded, name)

    alias = expanded.properties("ApiFunctionAliaslive")
    want("the api function's alias", alias.get("Name"), "live")
    update = expanded.resources["ApiFunctionAliaslive"].get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
    want("the alias moves by", update.get("DeploymentGroupName"), {"Ref": "ApiFunctionDeploymentGroup"})
    group = expanded.properties("ApiFunctionDeploymentGroup")
    want("the roll-out", group["DeploymentConfigName"]["Fn::Sub"][1]["ConfigName"], expanded.parameters["Rollout"])
    alarms = [{"Name": {"Ref": name}} for name in ("ApiErrorsAlarm", "Api5xxAlarm")]
    want("the roll-out stops by", group["AlarmConfiguration"]["Alarms"], alarms)
    want("the roll-out takes back", "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"], True)


def look_at_role(expanded, function):
    """Looks at what the tests do not see of a role: refusals, conditions, and what SAM adds."""
    policies = expanded.properties(f"{function}Role")["Policies"]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    other_streams = (
        ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
        {"Fn::GetAtt": ["DocumentsTable", "StreamArn"]},
        None,
    )
    refused = {"ApiFunction": [], "ReconcileFunction": [COPIES], "AnnounceFunction": [other_streams]}[function]
    look_at_statements(function, statements, refused)
    sends = [statement["Resource"] for statement in statements if statement["Action"] == "sqs:SendMessage"]
    want(f"{function}, its dead letters", sends, [] if function == "ApiFunction" else [DEAD_LETTERS])


def look_at_statements(name, statements, refused):
    there = [(s["Action"], s.get("NotResource"), s.get("Condition")) for s in statements if s["Effect"] == "Deny"]
    want(f"{name} is refused", there, refused)
    for statement in statements:
        keys = {key for operator in statement.get("Condition", {}).values() for key in operator}
        for key in keys & {"dynamodb:LeadingKeys", "dynamodb:Attributes"}:
            there = statement["Condition"].get("Null", {}).get(key)
            want(f"{name}, a condition on {key} holds of no request without one", there, "false")
        with_key = "kms:" in json.dumps(statement["Action"])
        bound = "kms:ViaService" in json.dumps(statement.get("Condition"))
        want(f"{name}, the key by way of S3 and DynamoDB only", bound, with_key)


def look_at_sessions(expanded):
    """Looks at who has the policy on documents, and at what a tenant's sessions are narrowed to."""
    policy = expanded.properties("DocumentsPolicy")
    statements = policy["PolicyDocument"]["Statement"]
    look_at_statements("DocumentsPolicy", statements, [COPIES])
    sessions = expanded.parameters["TenantSessions"] == "on"
    want("what has the policy on documents", policy["Roles"], [{"Ref": "TenantRole" if sessions else "ApiFunctionRole"}])
    if not sessions:
        return
    tenant = "${aws:PrincipalTag/tenant}"
    for statement in statements:
        for key in statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", []):
            want("a session's partitions are its tenant's", key.startswith(f"{tenant}#"), True)
        if statement["Effect"] == "Allow" and "s3:GetObject" in statement["Action"]:
            text, values = statement["Resource"]["Fn::Sub"]
            want("a session's files are its tenant's", (text, values["Tenant"]), ("${FilesBucket.Arn}/${Tenant}*", f"{tenant}/"))
    puts, gets = [
        statement
        for statement in expanded.properties("SigningRole")["Policies"][0]["PolicyDocument"]["Statement"]
        if "s3:" in json.dumps(statement["Action"])
    ]
    want("a signing session puts and gets", (puts["Action"], gets["Action"]), ("s3:PutObject", "s3:GetObject"))
    want("a signing session copies nothing", puts["Condition"], {"Null": {"s3:x-amz-copy-source": "true"}})
    for statement in (puts, gets):
        files = {"Fn::Sub": "${FilesBucket.Arn}/${!aws:PrincipalTag/tenant}/*"}
        want("a signing session's files", statement["Resource"], files)


def look_at_tables(expanded):
    for name in ("DocumentsTable", "TenantsTable"):
        table = expanded.properties(name)
        want(f"{name}, its billing", table["BillingMode"], "PAY_PER_REQUEST")
        protected = expanded.parameters["DeletionProtection"] == "on"
        want(f"{name}, its deletion protection", table["DeletionProtectionEnabled"], protected)
        key = expanded.parameters["KmsKeyArn"]
        sse = None if key == "none" else {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        want(f"{name}, its key", table.get("SSESpecification"), sse)
        recovery = {"PointInTimeRecoveryEnabled": True}
        want(f"{name}, its PITR", table.get("PointInTimeRecoverySpecification"), recovery)
    stream = expanded.properties("DocumentsTable").get("StreamSpecification")
    want("the stream", stream, {"StreamViewType": "NEW_AND_OLD_IMAGES"})
    writes = expanded.parameters["WarmWrites"]
    warm = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": writes} if writes else None
    want("the table is warm", expanded.properties("DocumentsTable").get("WarmThroughput"), warm)


def look_at_bucket(expanded):
    bucket = expanded.properties("FilesBucket")
    want("the bucket's versions", bucket.get("VersioningConfiguration"), {"Status": "Enabled"})
    private = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    want("the bucket is private", bucket.get("PublicAccessBlockConfiguration"), private)
    owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    want("the bucket's owner owns its objects", bucket.get("OwnershipControls"), owner)
    rules = [
        {"Id": "abort-what-was-never-completed", "Status": "Enabled",
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
        {"Id": "erase-what-was-deleted", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 14},
         "ExpiredObjectDeleteMarker": True},
    ]  # fmt: skip
    if days := expanded.parameters["ColdAfterDays"]:
        transitions = [{"StorageClass": "GLACIER_IR", "TransitionInDays": days}]
        rules.append({"Id": "keep-more-cheaply", "Status": "Enabled", "Transitions": transitions})
    want("the bucket's lifecycle", bucket.get("LifecycleConfiguration"), {"Rules": rules})
    replica = expanded.parameters["ReplicaBucketArn"]
    copies = [rule["Destination"]["Bucket"] for rule in bucket.get("ReplicationConfiguration", {}).get("Rules", [])]
    want("the bucket is copied to", copies, [] if replica == "none" else [replica])
    key = expanded.parameters["KmsKeyArn"]
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    by = {"SSEAlgorithm": "AES256"} if key == "none" else {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    want("the bucket's key", rule["ServerSideEncryptionByDefault"], by)
    want("the bucket's key is a bucket key", rule.get("BucketKeyEnabled", False), key != "none")
    rule = {"AllowedMethods": ["PUT"], "AllowedHeaders": ["content-type"], "ExposedHeaders": ["ETag"], "MaxAge": 3600}
    origins = expanded.parameters["UploadOrigins"]
    rules = None if origins == "none" else {"CorsRules": [rule | {"AllowedOrigins": origins}]}
    want("the bucket lets browsers in", bucket.get("CorsConfiguration"), rules)
    want("the bucket's lock", bucket.get("ObjectLockEnabled", False), expanded.parameters["ObjectLock"] == "on")
    want("the bucket's own retention", "ObjectLockConfiguration" in bucket, False)
    statements = expanded.properties("FilesBucketPolicy").get("PolicyDocument", {}).get("Statement", [])
    refused = [
        (s.get("Action"), s.get("NotAction"), s["Condition"])
        for s in statements
        if (s["Effect"], s["Principal"]) == ("Deny", "*") and s["Sid"] != "OnlyTheScannerTags"
    ]
    tls = {"NumericLessThan": {"s3:TlsVersion": expanded.parameters["MinimumTls"]}}
    if expanded.parameters["Screening"] == "on":
        tls["ArnNotEquals"] = {"aws:PrincipalArn": {"Fn::GetAtt": ["ScannerRole", "Arn"]}}
    want(
        "the bucket refuses",
        refused,
        [
            ("s3:*", None, {"Bool": {"aws:SecureTransport": "false"}}),
            ("s3:*", None, tls),
            ("s3:*", None, {"NumericGreaterThan": {"s3:signatureAge": "3600000"}}),
            (None, ["s3:PutObject", "s3:GetObject"], {"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}),
        ],
    )


def look_at_api(expanded):
    properties = expanded.properties("Api")
    policy = {"1.3": "SecurityPolicy_TLS13_1_3_2025_09", "1.2": "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"}
    want("the API's TLS", properties.get("SecurityPolicy"), policy[expanded.parameters["MinimumTls"]])
    want("the API's access mode", properties.get("EndpointAccessMode"), "STRICT")
    want("the API's endpoint", properties.get("EndpointConfiguration"), {"Types": ["REGIONAL"]})
    want("the API's bodies", properties.get("BinaryMediaTypes"), ["*~1*"])
    disabled = json.dumps(expanded.value(properties["Body"])).count('"disableExecuteApiEndpoint": true')
    want("the API's default endpoint is off", disabled, int(expanded.parameters["DefaultEndpoint"] == "off"))
    integrations = {
        (
            method["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"].split("lambda:path/")[1],
            method["x-amazon-apigateway-integration"]["responseTransferMode"],
        )
        for path in properties["Body"]["paths"].values()
        for method in path.values()
    }
    streams = expanded.parameters["ResponseTransferMode"] == "RESPONSE_STREAM"
    call = ("2015-03-31/functions/${ApiFunction.Arn}:live/invocations", "BUFFERED")
    if streams:
        call = ("2021-11-15/functions/${ApiFunction.Arn}:live/response-streaming-invocations", "STREAM")
    want("the API calls", integrations, {call})
    permission = expanded.properties("ApiPermission")
    want("what the API may call", permission["FunctionName"], {"Fn::Sub": "${ApiFunctionAliaslive}"})
    permissions = expanded.of_type("AWS::Lambda::Permission")
    want("permissions to call a function", len(permissions), 1 + 4)

    responses = properties["Body"].get("x-amazon-apigateway-gateway-responses", {})
    statuses = {
        name: response.get("statusCode") and int(response["statusCode"]) for name, response in responses.items()
    }
    expected = {
        "REQUEST_TOO_LARGE": 413,
        "THROTTLED": 429,
        "MISSING_AUTHENTICATION_TOKEN": 404,
        "INVALID_SIGNATURE": 404,
    }
    want("the gateway's own answers", statuses, expected | {"DEFAULT_4XX": None, "DEFAULT_5XX": 503})
    for name, response in responses.items():
        kind = response["responseParameters"].get("gatewayresponse.header.Content-Type")
        want(f"{name}, its type", kind, "'application/problem+json'")
        problem = json.loads(response["responseTemplates"]["application/json"])
        want(f"{name}, its status in words", problem.get("status"), statuses[name])

    stages = [deployment.get("StageName") for deployment in expanded.of_type("AWS::ApiGateway::Deployment").values()]
    want("other stages", stages, [None])
    stage = expanded.properties("ApiliveStage")
    traced = expanded.parameters["GatewayTracing"] == "on"
    want("the stage", (stage.get("StageName"), stage.get("TracingEnabled")), ("live", traced))
    log = stage.get("AccessLogSetting", {})
    want("the access log", log.get("DestinationArn"), {"Fn::GetAtt": ["ApiAccessLog", "Arn"]})
    fields = set(json.loads(log.get("Format", "{}")).values())
    needed = {
        "$context.requestId",
        "$context.resourcePath",
        "$context.status",
        "$context.responseLatency",
        "$context.tlsVersion",
    }
    want("the access log lacks", needed - fields, set())
    secret = re.compile(
        r"path$|querystring|requestOverride|authorizer|identity|input|header|body|domain", re.IGNORECASE
    )
    want("the access log tells", {f for f in fields if secret.search(f.replace("resourcePath", ""))}, set())
    settings = {
        "ResourcePath": "/*", "HttpMethod": "*",
        "MetricsEnabled": expanded.parameters["GatewayMetrics"] == "on", "DataTraceEnabled": False, "LoggingLevel": "OFF",
        "ThrottlingRateLimit": expanded.parameters["RequestsPerSecond"],
        "ThrottlingBurstLimit": expanded.parameters["RequestBurst"],
    }  # fmt: skip
    want("the stage's settings", stage.get("MethodSettings"), [settings])


def look_at_events(expanded):
    want("the clock", expanded.properties("ReconcileFunctionClock")["ScheduleExpression"], "rate(1 minute)")
    looks = expanded.properties("ReconcileFunctionLookThrough")["Targets"]
    want("what looks through the bucket", looks[0].get("Input"), '{"detail-type": "Look Through"}')
    for name in ("ReconcileFunctionObjectCreated", "ReconcileFunctionJudged", "ReconcileFunctionClock"):
        [target] = expanded.properties(name)["Targets"]
        want(f"{name} tries again", "RetryPolicy" in target, True)
        letters = None if name == "ReconcileFunctionClock" else {"Arn": DEAD_LETTERS}
        want(f"{name} keeps what fails", target.get("DeadLetterConfig"), letters)
    invoke = expanded.properties("ReconcileFunctionEventInvokeConfig").get("DestinationConfig", {})
    want("reconcile keeps what fails", invoke.get("OnFailure"), {"Destination": DEAD_LETTERS})

    archive = {"SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]}, "RetentionDays": expanded.parameters["ArchiveDays"]}
    want("the archive", expanded.properties("BusArchive"), archive)

    mapping = expanded.properties("AnnounceFunctionChanges")
    settings = {
        "StartingPosition": "TRIM_HORIZON", "BatchSize": 10, "MaximumBatchingWindowInSeconds": 1,
        "ParallelizationFactor": 10, "BisectBatchOnFunctionError": True, "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 43200, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": DEAD_LETTERS}},
    }  # fmt: skip
    want("announce reads so", {name: mapping.get(name) for name in settings}, settings)
    only = [json.loads(f["Pattern"]) for f in mapping.get("FilterCriteria", {}).get("Filters", [])]
    documents = {"dynamodb": {"Keys": {"sk": {"S": ["document", "#association"]}}}}
    corrupt = {"dynamodb": {"NewImage": {"verification": {"S": ["corrupt"]}}}}
    quarantined = {"dynamodb": {"NewImage": {"screening": {"S": ["threat", "unscannable"]}}}}
    want("announce reads only", only, [documents, corrupt, quarantined])


def look_at_scanner(expanded):
    screens = expanded.parameters["Screening"] == "on"
    plan = {
        "Role": {"Fn::GetAtt": ["ScannerRole", "Arn"]},
        "Actions": {"Tagging": {"Status": "ENABLED"}},
        "ProtectedResource": {"S3Bucket": {"BucketName": {"Ref": "FilesBucket"}}},
    }
    want("the scanner", expanded.properties("Scanner"), plan if screens else {})
    statements = expanded.properties("FilesBucketPolicy")["PolicyDocument"]["Statement"]
    tags = [s["Condition"] for s in statements if s.get("Sid") == "OnlyTheScannerTags"]
    by_another = {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["ScannerRole", "Arn"]}}}
    want("who may tag no file", tags, [by_another] if screens else [])


def look_at_the_rest(expanded):
    queue = expanded.properties("DeadLetters")
    want("dead letters are kept for", queue["MessageRetentionPeriod"], 1209600)
    want("dead letters are encrypted", queue.get("SqsManagedSseEnabled"), True)
    [letter] = expanded.properties("DeadLettersPolicy")["PolicyDocument"]["Statement"]
    rules = [{"Fn::GetAtt": [f"ReconcileFunction{rule}", "Arn"]} for rule in ("ObjectCreated", "Judged")]
    source = {"ArnEquals": {"aws:SourceArn": rules}}
    want("dead letters come from", letter.get("Condition"), source)

    key = expanded.parameters["KmsKeyArn"]
    for name in ("ApiAccessLog", "ApiLog", "ReconcileLog", "AnnounceLog"):
        log = expanded.properties(name)
        want(f"{name}, its days", log["RetentionInDays"], expanded.parameters["LogDays"])
        want(f"{name}, its key", log.get("KmsKeyId"), None if key == "none" else key)

    alarms = expanded.of_type("AWS::CloudWatch::Alarm")
    screens = expanded.parameters["Screening"] == "on"
    want("the alarms", set(alarms), ALARMS | (ALARMS_OF_SCREENING if screens else set()))
    topic, email = expanded.parameters["AlarmTopicArn"], expanded.parameters["AlarmEmail"]
    told = ([] if topic == "none" else [topic]) + ([] if email == "none" else [{"Ref": "AlarmTopic"}])
    for name, alarm in alarms.items():
        want(f"{name} tells", alarm.get("AlarmActions"), told)
        missing = "breaching" if name == "SweepMissingAlarm" else "notBreaching"
        want(f"{name}, where data is missing", alarm.get("TreatMissingData"), missing)
        metrics = {metric["Id"]: metric for metric in alarm.get("Metrics", [])}
        for expression in (metric["Expression"] for metric in metrics.values() if "Expression" in metric):
            measured = {name for name, metric in metrics.items() if "MetricStat" in metric}
            want(f"{name}, what it computes with", set(re.findall(r"\b[a-z]\w*", expression)), measured)
        shown = [metric for metric in metrics.values() if metric.get("ReturnData", True)]
        want(f"{name} watches one value", len(shown), 1 if metrics else 0)
    standing = [alarm for name, alarm in alarms.items() if name not in ALARMS_OF_SCREENING]
    series = (len([m for m in alarm.get("Metrics", []) if "MetricStat" in m]) or 1 for alarm in standing)
    want("the series that infra/costs.py has alarms for", sum(series), costs.ALARMED)
    shows = expanded.parameters["ShowDashboard"] == "on"
    want("a dashboard", "Dashboard" in expanded.resources, shows)
    if shows:
        dashboard = expanded.properties("Dashboard")["DashboardBody"]["Fn::Sub"][0]
        want("the dashboard's widgets", len(json.loads(dashboard)["widgets"]) > 8, True)

    retained = {name for name, resource in expanded.resources.items() if resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")}
    retained -= set(expanded.of_type("AWS::Lambda::Version"))  # SAM's doing, for a roll-back
    want("retained", retained, RETAINED & set(expanded.resources))
    want(
        "retained when replaced",
        retained,
        {n for n in retained if expanded.resources[n].get("UpdateReplacePolicy") == "Retain"},
    )
    walled = [acl["WebACLArn"] for acl in expanded.of_type("AWS::WAFv2::WebACLAssociation").values()]
    acl = expanded.parameters["WebAclArn"]
    want("in front of the API", walled, [] if acl == "none" else [acl])
    plans = expanded.of_type("AWS::Backup::BackupPlan").values()
    rules = [plan["BackupPlan"]["BackupPlanRule"][0] for plan in plans]
    vaults = [copy["DestinationBackupVaultArn"] for rule in rules for copy in rule["CopyActions"]]
    vault = expanded.parameters["BackupVaultArn"]
    want("the tables are copied to", vaults, [] if vault == "none" else [vault])

    makes = expanded.parameters["GatewayLogRole"] == "create"
    want("the account's role for logs", "GatewayAccount" in expanded.resources, makes)


def parameter_sets():
    dev = tomllib.load(open("samconfig.toml", "rb"))["dev"]["deploy"]["parameters"]["parameter_overrides"]
    return {
        "defaults": {},
        "dev": dict(pair.split("=") for pair in dev.split()),
        "everything": {
            "KmsKeyArn": KEY, "AlarmTopicArn": TOPIC, "UploadOrigins": "https://a.example,https://b.example",
            "ObjectLock": "on", "MinimumTls": "1.2", "Architecture": "x86_64", "GatewayLogRole": "there",
            "GatewayTracing": "on", "GatewayMetrics": "on", "DefaultEndpoint": "off",
            "ApiConcurrency": 50, "ReconcileConcurrency": 5, "AnnounceConcurrency": 10,
            "Rollout": "Linear10PercentEvery1Minute", "TenantSessions": "on",
            "Metrics": "all", "Tracing": "Active", "ShowDashboard": "on", "Screening": "on",
            "ResponseTransferMode": "RESPONSE_STREAM", "WarmWrites": 8000,
        },
        "copies": {
            "AlarmEmail": "operator@dms.example", "AlarmTopicArn": TOPIC, "ColdAfterDays": 90,
            "WebAclArn": "arn:aws:wafv2:eu-central-1:000000000000:regional/webacl/rates/1",
            "ReplicaBucketArn": "arn:aws:s3:::elsewhere",
            "BackupVaultArn": "arn:aws:backup:eu-west-1:000000000000:backup-vault:elsewhere",
        },
    }  # fmt: skip


LOOKS = (
    look_at_functions,
    look_at_sessions,
    look_at_tables,
    look_at_bucket,
    look_at_api,
    look_at_events,
    look_at_scanner,
    look_at_the_rest,
)


def main():
    logging.disable(logging.WARNING)
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    for name, given in parameter_sets().items():
        expanded = Expanded(given)
        for look in LOOKS:
            look(expanded)
        for failure in failures:
            print(f"{name}: {failure}")
        if failures:
            sys.exit(1)
        print(f"{name}: {len(expanded.resources)} resources are as they should be")


if __name__ == "__main__":
    main()
