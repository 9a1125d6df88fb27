"""Rehearses the deployment of template.yaml: expands it as AWS would, makes the stack on moto, and asks moto's services
whether everything is there as it should be. Needs an AWS_ENDPOINT_URL that is moto's; see .ci/rehearse.

moto drops what it does not know in silence. So what it does not know is said here (NOT_IN_MOTO), is looked at in the
expanded template only, and is refused once moto knows it.
"""

import ast
import copy
import io
import json
import logging
import os
import re
import sys
import tomllib
import zipfile

import boto3
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

NOT_IN_MOTO = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
}

# moto makes an API without its body, and refuses to deploy one without methods. So we put the body there, and deploy.
NEEDS_BODY = "AWS::ApiGateway::Deployment"

# What each function may do, once more: a template that lost a line must not be its own measure.
STATEMENTS = {
    "ApiFunction": [
        ("Allow", {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"}, "DocumentsTable"),
        ("Allow", {"dynamodb:Query"}, "TenantsTable"),
        ("Allow", {"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
                   "s3:ListMultipartUploadParts"}, "FilesBucket/*"),
        ("Allow", {"s3:ListBucket"}, "FilesBucket"),
    ],
    "ReconcileFunction": [
        ("Allow", {"sqs:SendMessage"}, "DeadLetters"),
        ("Allow", {"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
                   "dynamodb:UpdateItem"}, "DocumentsTable"),
        ("Allow", {"dynamodb:Query"}, "DocumentsTable/index/due"),
        ("Allow", {"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
                   "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}, "FilesBucket/*"),
        ("Allow", {"s3:ListBucket"}, "FilesBucket"),
    ],
    "AnnounceFunction": [
        ("Allow", {"sqs:SendMessage"}, "DeadLetters"),
        ("Allow", {"events:PutEvents"}, "Bus"),
        ("Deny", {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, "the other streams"),
    ],
}  # fmt: skip
KEY_ACTIONS = {
    "ApiFunction": {"kms:Decrypt", "kms:GenerateDataKey"},
    "ReconcileFunction": {"kms:Decrypt", "kms:GenerateDataKey"},
    "AnnounceFunction": {"kms:Decrypt"},
}
VARIABLES = {
    "ApiFunction": {"OKD_TENANTS_TABLE", "OKD_PRIVATE_ISSUERS", "OKD_TABLE", "OKD_BUCKET", "AWS_ENDPOINT_URL_DYNAMODB",
                    "AWS_ENDPOINT_URL_S3"},
    "ReconcileFunction": {"OKD_TABLE", "OKD_BUCKET", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"},
    "AnnounceFunction": {"OKD_BUS", "AWS_ENDPOINT_URL_EVENTBRIDGE"},
}  # fmt: skip
ALARMS = {
    "Api5xxAlarm", "ApiLatencyAlarm", "ApiErrorsAlarm", "DeadLettersAlarm", "SweepMissingAlarm", "SweepLagAlarm",
    "SweepFailedAlarm", "CorruptAlarm", "AnnounceLagAlarm", "AnnounceMissingAlarm",
}  # fmt: skip
RETAINED = {"DocumentsTable", "TenantsTable", "FilesBucket", "DeadLetters", "GatewayAccount", "GatewayAccountRole"}
CODE = "rehearsal-code"

failures = []


def want(what, got, expected):
    if got != expected:
        failures.append(f"{what}: {got!r}, and not {expected!r}")


def want_dropped(what, asked, default, told, expected):
    """Of a property that moto's CloudFormation drops: so the template is looked at, until moto knows it."""
    if asked != default:
        failures.append(f"{what}: moto knows it now ({asked!r}); ask moto for it")
    want(what, told, expected)


def routes_of_the_code():
    """functions/api/src/routes.rs has the API as one table."""
    text = open("functions/api/src/routes.rs").read()
    table = re.findall(r'path: "([^"]+)",\s*methods: &\[([^\]]+)\]', text)
    return {(method, path) for path, methods in table for method in re.findall(r"\w+", methods)}


class Expanded:
    """template.yaml as AWS::Serverless makes plain CloudFormation of it, for one set of parameters."""

    def __init__(self, given):
        source = yaml_parse(open("template.yaml").read())
        for resource in source["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = f"s3://{CODE}/{resource['Properties']['CodeUri']}"
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

    def for_moto(self):
        """The template without what moto does not know, and a template of that alone."""
        unknown_types = NOT_IN_MOTO | {NEEDS_BODY}
        dropped = {name for name, resource in self.resources.items() if resource["Type"] in unknown_types}
        known = copy.deepcopy(self.body)
        unknown = copy.deepcopy(self.body)
        known["Resources"] = {n: r for n, r in self.resources.items() if n not in dropped}
        unknown["Resources"] = {n: r for n, r in self.resources.items() if r["Type"] in NOT_IN_MOTO}
        unknown.pop("Outputs")
        for template, missing in ((known, dropped), (unknown, set(self.resources) - dropped)):
            # With the conditions decided, for moto makes an AWS::NoValue in a list a null.
            template["Resources"] = without(missing, self.value(template["Resources"]))
        return known, unknown


class NoManagedPolicies:
    """SAM would ask IAM for the names of managed policies; this template names none that it has to look up."""

    def load(self):
        return {}


def without(missing, value):
    """The value with every reference to a missing resource replaced by some text; an alias by its function."""
    if isinstance(value, list):
        return [without(missing, item) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)(\.\w+)?\}", lambda found: found[1] if found[1] in missing else found[0], value)
    if not isinstance(value, dict):
        return value
    if value == {"Ref": "Bus"}:
        return {"Ref": "AWS::StackName"}  # its name; moto has no name for it
    if value.get("Ref") in missing:
        return {"Ref": "ApiFunction"} if value["Ref"] == "ApiFunctionAliaslive" else value["Ref"]
    if value.get("Fn::GetAtt", [None])[0] in missing:
        return "-".join(value["Fn::GetAtt"])
    return {key: without(missing, item) for key, item in value.items() if key != "DependsOn"}


def deploy(expanded, name):
    """Makes the stack; the physical ids of what moto made."""
    cloudformation = boto3.client("cloudformation")
    known, unknown = expanded.for_moto()
    given = [{"ParameterKey": k, "ParameterValue": str(v)} for k, v in expanded.parameters.items()]
    made = []
    for stack, template in ((name, known), (f"{name}-unknown", unknown)):
        cloudformation.create_stack(
            StackName=stack, TemplateBody=json.dumps(template), Parameters=given, Capabilities=["CAPABILITY_IAM"]
        )
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        # What moto does not know is listed too, without a name.
        made.append({s["LogicalResourceId"]: s["PhysicalResourceId"] for s in summaries if s["LogicalResourceId"]})
    for resource in made[1]:
        failures.append(f"{resource}: moto knows it now; take its type out of NOT_IN_MOTO and look at it")
    for resource in set(known["Resources"]) - set(made[0]):
        failures.append(f"{resource}: moto did not make it")
    return made[0] | {"Bus": name}


def look_at_functions(expanded, ids):
    client, iam = boto3.client("lambda"), boto3.client("iam")
    sizes = {"ApiFunction": (1024, 28), "ReconcileFunction": (1024, 300), "AnnounceFunction": (256, 60)}
    for name, (memory, timeout) in sizes.items():
        function = client.get_function_configuration(FunctionName=ids[name])
        want(f"{name}, its runtime", function["Runtime"], "provided.al2023")
        properties = expanded.properties(name)
        built = [expanded.parameters["Architecture"]]
        want_dropped(
            f"{name}, its architecture", function["Architectures"], ["x86_64"], properties["Architectures"], built
        )
        want(f"{name}, its memory and timeout", (function["MemorySize"], function["Timeout"]), (memory, timeout))
        traced = function["TracingConfig"]["Mode"]
        want_dropped(f"{name}, its tracing", traced, "PassThrough", properties["TracingConfig"], {"Mode": "Active"})
        want(f"{name}, its variables", set(function["Environment"]["Variables"]), VARIABLES[name])
        want(
            f"{name}, its log",
            properties.get("LoggingConfig"),
            {"LogGroup": {"Ref": name.replace("Function", "Log")}, "LogFormat": "JSON"},
        )
        reserved = expanded.parameters[name.replace("Function", "Concurrency")] or None
        want(f"{name}, its concurrency", properties.get("ReservedConcurrentExecutions"), reserved)

        role = function["Role"].split("/")[-1]
        statements = []
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            # moto keeps a role's policies as Python's repr of them.
            statements += listed((ast.literal_eval(document) if isinstance(document, str) else document)["Statement"])
        arns = {
            "DocumentsTable": f"table/{ids['DocumentsTable']}",
            "TenantsTable": f"table/{ids['TenantsTable']}",
            "FilesBucket": f":{ids['FilesBucket']}",
            "DeadLetters": ids["DeadLetters"].split("/")[-1],
            "Bus": f"event-bus/{ids['Bus']}",
        }
        got = []
        for s in statements:
            resource = s.get("Resource", "the other streams" if "/stream/" in s.get("NotResource", "") else "?")
            for logical, arn in arns.items():
                resource = re.sub(f"^arn:.*{re.escape(arn)}", logical, resource)
            got.append((s["Effect"], set(listed(s["Action"])), resource, s.get("Condition")))
        via = [s for s in got if s[2] == expanded.parameters["KmsKeyArn"]]
        allowed = [s[:3] for s in got if s not in via]
        for statement in STATEMENTS[name]:
            if statement not in allowed:
                failures.append(f"{name} lacks {statement}")
        for statement in allowed:
            if statement not in STATEMENTS[name]:
                failures.append(f"{name} has {statement}, unasked")
        if expanded.parameters["KmsKeyArn"] == "none":
            want(f"{name}, what it may with keys", via, [])
        else:
            want(f"{name}, what it may with the key", [s[1] for s in via], [KEY_ACTIONS[name]])
            want(f"{name}, the key by way of S3 and DynamoDB only", "kms:ViaService" in json.dumps(via[0][3]), True)
    want(
        "permissions to call a function",
        len(expanded.of_type("AWS::Lambda::Permission")),
        len(routes_of_the_code()) + 2,
    )

    alias = expanded.properties("ApiFunctionAliaslive")
    want("the api function's alias", alias.get("Name"), "live")
    update = expanded.resources["ApiFunctionAliaslive"].get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
    want("the alias moves by", update.get("DeploymentGroupName"), {"Ref": "ApiFunctionDeploymentGroup"})
    group = expanded.properties("ApiFunctionDeploymentGroup")
    want("the roll-out", group["DeploymentConfigName"]["Fn::Sub"][1]["ConfigName"], expanded.parameters["Rollout"])
    alarms = [{"Name": {"Ref": name}} for name in ("ApiErrorsAlarm", "Api5xxAlarm")]
    want("the roll-out stops by", group["AlarmConfiguration"]["Alarms"], alarms)
    want("the roll-out takes back", "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"], True)


def listed(value):
    return value if isinstance(value, list) else [value]


def look_at_tables(expanded, ids):
    client = boto3.client("dynamodb")
    keys = {"DocumentsTable": ["pk", "sk"], "TenantsTable": ["issuer", "tenant"]}
    for name in keys:
        table = client.describe_table(TableName=ids[name])["Table"]
        want(f"{name}, its keys", [key["AttributeName"] for key in table["KeySchema"]], keys[name])
        want(f"{name}, its billing", table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        protected = expanded.parameters["DeletionProtection"] == "on"
        want(f"{name}, its deletion protection", table.get("DeletionProtectionEnabled", False), protected)
        key = expanded.parameters["KmsKeyArn"]
        sse = expanded.properties(name).get("SSESpecification")
        want(
            f"{name}, its key",
            sse,
            None if key == "none" else {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        )
        backups = client.describe_continuous_backups(TableName=ids[name])["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        told = expanded.properties(name).get("PointInTimeRecoverySpecification")
        want_dropped(f"{name}, its PITR", recovery, "DISABLED", told, {"PointInTimeRecoveryEnabled": True})
        if name == "DocumentsTable":
            indexes = [
                (i["IndexName"], [key["AttributeName"] for key in i["KeySchema"]], i["Projection"]["ProjectionType"])
                for i in table.get("GlobalSecondaryIndexes", [])
            ]
            want(f"{name}, its indexes", indexes, [("due", ["queue", "due"], "KEYS_ONLY")])
            want(
                f"{name}, its stream",
                table.get("StreamSpecification"),
                {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            )


def look_at_bucket(expanded, ids):
    client, bucket = boto3.client("s3"), ids["FilesBucket"]
    told = expanded.properties("FilesBucket")
    versions = told.get("VersioningConfiguration")
    asked = client.get_bucket_versioning(Bucket=bucket).get("Status")
    want_dropped("the bucket's versions", asked, None, versions, {"Status": "Enabled"})
    private = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    asked = answered(client.get_public_access_block, bucket, "PublicAccessBlockConfiguration")
    want_dropped("the bucket is private", asked, None, told.get("PublicAccessBlockConfiguration"), private)
    asked = answered(client.get_bucket_ownership_controls, bucket, "OwnershipControls")
    owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    want_dropped("the bucket's owner owns its objects", asked, None, told.get("OwnershipControls"), owner)
    asked = answered(client.get_bucket_lifecycle_configuration, bucket, "Rules")
    rules = [
        {"Id": "abort-what-was-never-completed", "Status": "Enabled",
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
        {"Id": "erase-what-was-deleted", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 14},
         "ExpiredObjectDeleteMarker": True},
    ]  # fmt: skip
    want_dropped("the bucket's lifecycle", asked, None, told.get("LifecycleConfiguration"), {"Rules": rules})
    asked = client.get_bucket_notification_configuration(Bucket=bucket).get("EventBridgeConfiguration")
    events = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    want_dropped("the bucket's events", asked, None, told.get("NotificationConfiguration"), events)
    key = expanded.parameters["KmsKeyArn"]
    [rule] = answered(client.get_bucket_encryption, bucket, "ServerSideEncryptionConfiguration")["Rules"]
    by = {"SSEAlgorithm": "AES256"} if key == "none" else {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    want("the bucket's key", rule["ApplyServerSideEncryptionByDefault"], by)
    [of_template] = told["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    bucket_key = of_template.get("BucketKeyEnabled", False)
    want_dropped(
        "the bucket's key is a bucket key", rule.get("BucketKeyEnabled", False), False, bucket_key, key != "none"
    )
    rule = {"AllowedMethods": ["PUT"], "AllowedHeaders": ["content-type"], "ExposedHeaders": ["ETag"], "MaxAge": 3600}
    origins = expanded.parameters["UploadOrigins"]
    rule = None if origins == "none" else {"CorsRules": [rule | {"AllowedOrigins": origins}]}
    want_dropped(
        "the bucket lets browsers in",
        answered(client.get_bucket_cors, bucket, "CORSRules"),
        None,
        told.get("CorsConfiguration"),
        rule,
    )
    want("the bucket's lock", told.get("ObjectLockEnabled", False), expanded.parameters["ObjectLock"] == "on")
    want("the bucket's own retention", "ObjectLockConfiguration" in told, False)
    statements = expanded.properties("FilesBucketPolicy").get("PolicyDocument", {}).get("Statement", [])
    conditions = [
        s["Condition"] for s in statements if (s["Effect"], s["Principal"], s["Action"]) == ("Deny", "*", "s3:*")
    ]
    tls = {"NumericLessThan": {"s3:TlsVersion": expanded.parameters["MinimumTls"]}}
    want("the bucket refuses", conditions, [{"Bool": {"aws:SecureTransport": "false"}}, tls])


def answered(call, bucket, field):
    """A part of a bucket's configuration, or `None` where it has none."""
    try:
        return call(Bucket=bucket)[field]
    except boto3.client("s3").exceptions.ClientError:
        return None


def look_at_api(expanded, ids):
    client, api = boto3.client("apigateway"), ids["Api"]
    want("moto reads the API's body now; let it", len(client.get_resources(restApiId=api)["items"]), 1)
    client.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(expanded.properties("Api")["Body"]))
    client.create_deployment(restApiId=api, stageName=expanded.properties("ApiliveStage")["StageName"])
    resources = client.get_resources(restApiId=api, limit=500)["items"]
    routes = {(method, r["path"]) for r in resources for method in r.get("resourceMethods", {})}
    want("the API's routes", routes, routes_of_the_code())
    properties = expanded.properties("Api")
    policy = {"1.3": "SecurityPolicy_TLS13_1_3_2025_09", "1.2": "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"}
    want("the API's TLS", properties.get("SecurityPolicy"), policy[expanded.parameters["MinimumTls"]])
    want("the API's access mode", properties.get("EndpointAccessMode"), "STRICT")
    want("the API's endpoint", properties.get("EndpointConfiguration"), {"Types": ["REGIONAL"]})
    want("the API's bodies", properties.get("BinaryMediaTypes"), ["*~1*"])
    disabled = json.dumps(expanded.value(properties["Body"])).count('"disableExecuteApiEndpoint": true')
    want("the API's default endpoint is off", disabled, int(expanded.parameters["DefaultEndpoint"] == "off"))
    integrations = {
        method["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"].split("functions/")[1]
        for path in properties["Body"]["paths"].values()
        for method in path.values()
    }
    want("the API calls", integrations, {"${ApiFunctionAliaslive}/invocations"})

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

    stages = [deployment.get("StageName") for deployment in expanded.of_type(NEEDS_BODY).values()]
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
        "MetricsEnabled": True, "DataTraceEnabled": False, "LoggingLevel": "OFF",
        "ThrottlingRateLimit": expanded.parameters["RequestsPerSecond"],
        "ThrottlingBurstLimit": expanded.parameters["RequestBurst"],
    }  # fmt: skip
    want("the stage's settings", stage.get("MethodSettings"), [settings])


def look_at_events(expanded, ids):
    events = boto3.client("events")
    rule = events.describe_rule(Name=ids["ReconcileFunctionObjectCreated"])
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [ids["FilesBucket"]]}},
    }
    want("the rule for objects", json.loads(rule["EventPattern"]), pattern)
    want("the clock", events.describe_rule(Name=ids["ReconcileFunctionClock"])["ScheduleExpression"], "rate(1 minute)")
    for name in ("ReconcileFunctionObjectCreated", "ReconcileFunctionClock"):
        [target] = events.list_targets_by_rule(Rule=ids[name])["Targets"]
        want(f"{name} calls", target["Arn"].split(":")[-1], ids["ReconcileFunction"])
        want(f"{name} tries again", "RetryPolicy" in target, True)
        want(f"{name} keeps what fails", "DeadLetterConfig" in target, name == "ReconcileFunctionObjectCreated")
    invoke = expanded.properties("ReconcileFunctionEventInvokeConfig").get("DestinationConfig", {})
    want("reconcile keeps what fails", invoke.get("OnFailure"), {"Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]}})

    bus = events.describe_event_bus(Name=ids["Bus"])
    archives = events.list_archives(EventSourceArn=bus["Arn"])["Archives"]
    want(
        "the archive's days",
        [int(archive["RetentionDays"]) for archive in archives],
        [int(expanded.parameters["ArchiveDays"])],
    )

    [mapping] = boto3.client("lambda").list_event_source_mappings(FunctionName=ids["AnnounceFunction"])[
        "EventSourceMappings"
    ]
    stream = boto3.client("dynamodb").describe_table(TableName=ids["DocumentsTable"])["Table"].get("LatestStreamArn")
    want("announce reads", mapping["EventSourceArn"], stream)
    mapping = expanded.properties("AnnounceFunctionChanges")
    settings = {
        "StartingPosition": "TRIM_HORIZON", "BatchSize": 10, "MaximumBatchingWindowInSeconds": 1,
        "ParallelizationFactor": 10, "BisectBatchOnFunctionError": True, "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 43200, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}},
    }  # fmt: skip
    want("announce reads so", {name: mapping.get(name) for name in settings}, settings)
    only = [json.loads(f["Pattern"]) for f in mapping.get("FilterCriteria", {}).get("Filters", [])]
    documents = {"dynamodb": {"Keys": {"sk": {"S": ["document"]}}}}
    corrupt = {"dynamodb": {"NewImage": {"verification": {"S": ["corrupt"]}}}}
    want("announce reads only", only, [documents, corrupt])


def look_at_the_rest(expanded, ids):
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_attributes(QueueUrl=ids["DeadLetters"], AttributeNames=["All"])["Attributes"]
    want("dead letters are kept for", queue["MessageRetentionPeriod"], "1209600")
    want("dead letters are encrypted", expanded.properties("DeadLetters").get("SqsManagedSseEnabled"), True)
    [letter] = expanded.properties("DeadLettersPolicy").get("PolicyDocument", {}).get("Statement", [{}])
    source = {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ReconcileFunctionObjectCreated", "Arn"]}}}
    want("dead letters come from", letter.get("Condition"), source)

    logs = {group["logGroupName"]: group for group in boto3.client("logs").describe_log_groups()["logGroups"]}
    for name in ("ApiAccessLog", "ApiLog", "ReconcileLog", "AnnounceLog"):
        group = logs.get(ids[name], {})
        want(f"{name}, its days", int(group.get("retentionInDays", 0)), int(expanded.parameters["LogDays"]))
        key = expanded.parameters["KmsKeyArn"]
        told = expanded.properties(name).get("KmsKeyId")
        want_dropped(f"{name}, its key", group.get("kmsKeyId"), None, told, None if key == "none" else key)

    alarms = expanded.of_type("AWS::CloudWatch::Alarm")
    want("the alarms", set(alarms), ALARMS)
    topic = expanded.parameters["AlarmTopicArn"]
    for name, alarm in alarms.items():
        want(f"{name} tells", alarm.get("AlarmActions"), None if topic == "none" else [topic])
        missing = "breaching" if name == "SweepMissingAlarm" else "notBreaching"
        want(f"{name}, where data is missing", alarm.get("TreatMissingData"), missing)
    dashboard = boto3.client("cloudwatch").get_dashboard(DashboardName=ids["Dashboard"])["DashboardBody"]
    want("the dashboard's widgets", len(json.loads(dashboard)["widgets"]) > 8, True)

    retained = {name for name, resource in expanded.resources.items() if resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")}
    retained -= set(expanded.of_type("AWS::Lambda::Version"))  # SAM's doing, for a roll-back
    want("retained", retained, RETAINED & set(expanded.resources))
    want(
        "retained when replaced",
        retained,
        {n for n in retained if expanded.resources[n].get("UpdateReplacePolicy") == "Retain"},
    )
    makes = expanded.parameters["GatewayLogRole"] == "create"
    want("the account's role for logs", "GatewayAccount" in expanded.resources, makes)


def parameter_sets():
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
    dev = tomllib.load(open("samconfig.toml", "rb"))["dev"]["deploy"]["parameters"]["parameter_overrides"]
    return {
        "defaults": {},
        "dev": dict(pair.split("=") for pair in dev.split()),
        "everything": {
            "KmsKeyArn": key, "AlarmTopicArn": topic, "UploadOrigins": "https://a.example,https://b.example",
            "ObjectLock": "on", "MinimumTls": "1.2", "Architecture": "x86_64", "GatewayLogRole": "there", "GatewayTracing": "on", "DefaultEndpoint": "off",
            "ApiConcurrency": 50, "ReconcileConcurrency": 5, "AnnounceConcurrency": 10,
            "Rollout": "Linear10PercentEvery1Minute",
        },
    }  # fmt: skip


def upload_code():
    """Three functions that do nothing."""
    s3, archive = boto3.client("s3"), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bootstrap", "")
    s3.create_bucket(Bucket=CODE, CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]})
    for name in ("api", "reconcile", "announce"):
        s3.put_object(Bucket=CODE, Key=f"functions/{name}", Body=archive.getvalue())


def main():
    if "127.0.0.1" not in os.environ.get("AWS_ENDPOINT_URL", ""):
        sys.exit("AWS_ENDPOINT_URL has to be moto's: this makes stacks")
    logging.disable(logging.WARNING)
    upload_code()
    for name, given in parameter_sets().items():
        expanded = Expanded(given)
        ids = deploy(expanded, f"okd-{name}")
        for look in (look_at_functions, look_at_tables, look_at_bucket, look_at_api, look_at_events, look_at_the_rest):
            look(expanded, ids)
        for failure in failures:
            print(f"{name}: {failure}")
        if failures:
            sys.exit(1)
        made = len(ids) + len(expanded.of_type(NEEDS_BODY))
        print(f"{name}: moto made {made} of {len(expanded.resources)} resources, and they are as they should be")
    print("in the expanded template only:", ", ".join(sorted(kind.removeprefix("AWS::") for kind in NOT_IN_MOTO)))


if __name__ == "__main__":
    main()
