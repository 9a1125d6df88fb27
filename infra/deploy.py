"""Deploys template.yaml with sam to ministack, at AWS_ENDPOINT_URL, as STACK, with the development build for its code. Works
in the empty folder that is its argument; prints the API's id and the table of tenants. See .ci/deploy.

Everything in which ministack 1.5.33 falls short of AWS stands in adapt() and redeploy(). What they change or leave out,
infra/rehearse.py compares.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys

import boto3
from samtranslator.yaml_helper import yaml_parse

STACK = os.environ["STACK"]
PARAMETERS = {
    "DeletionProtection": "off",
    "Rollout": "AllAtOnce",
    "PrivateIssuers": "http://127.0.0.1:*",
    "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
    "AwsEndpoint": os.environ["AWS_ENDPOINT_URL"],
    "TenantSessions": os.environ.get("SESSIONS", "off"),
}


def adapt(template):
    """Changes what ministack does not know, or does not do as AWS does."""
    resources = template["Resources"]

    # CodeDeploy is not there: a new version takes over at once.
    del resources["ApiFunction"]["Properties"]["DeploymentPreference"]

    # CloudFormation makes no archives.
    del resources["BusArchive"], template["Outputs"]["ArchiveArn"]

    # Alarms have no metric math. They get one metric instead of leaving, for the dashboard refers to them.
    for alarm in resources.values():
        if alarm["Type"] == "AWS::CloudWatch::Alarm" and alarm["Properties"].pop("Metrics", None):
            alarm["Properties"] |= {"Namespace": "OKD", "MetricName": "None", "Statistic": "Sum", "Period": 60}

    # DynamoDB's condition keys are absent from most requests, so that no condition may ask that they are there.
    for resource in resources.values():
        properties = resource["Properties"]
        for policy in [*properties.get("Policies", []), properties.get("PolicyDocument", {})]:
            for statement in policy.get("Statement", []):
                if any(key.startswith("dynamodb:") for key in statement.get("Condition", {}).get("Null", {})):
                    del statement["Condition"]["Null"]

    # The method ANY of an OpenAPI body is not read.
    api = resources["Api"]["Properties"]
    paths = api["DefinitionBody"]["paths"]
    for path, methods in paths.items():
        [any_method] = methods.values()
        paths[path] = dict.fromkeys(("get", "put", "post", "patch", "delete", "options"), any_method)

    # A slash stands for itself and not as ~1 in a binary media type.
    api["BinaryMediaTypes"] = [kind.replace("~1", "/") for kind in api["BinaryMediaTypes"]]

    # The gateway responses of an OpenAPI body are not read; resources of their own are.
    for kind, response in api.pop("GatewayResponses").items():
        headers = response.pop("ResponseParameters")["Headers"]
        headers = {f"gatewayresponse.header.{name}": value for name, value in headers.items()}
        properties = {"RestApiId": {"Ref": "Api"}, "ResponseType": kind, "ResponseParameters": headers, **response}
        resource = {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}
        resources[f"Response{kind.replace('_', '')}"] = resource


def redeploy(api):
    """Deploys the API again: SAM's own deployment comes before those gateway responses."""
    boto3.client("apigateway").create_deployment(restApiId=api, stageName="live")


def use_development_build(template, folder):
    """Gives every function a bootstrap that starts its program in target/debug."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            program = pathlib.Path("target/debug", pathlib.Path(resource["Properties"]["CodeUri"]).name).absolute()
            resource["Properties"]["CodeUri"] = name
            bootstrap = folder / name / "bootstrap"
            bootstrap.parent.mkdir()
            bootstrap.write_text(f"#!/bin/sh\nexec {program}\n")
            bootstrap.chmod(0o755)


def main():
    folder = pathlib.Path(sys.argv[1]).absolute()
    text = open("template.yaml").read()
    # Policies have no variables: by its session a tenant reaches what all reach. (tests/tenants/sessions.rs looks at that.)
    text = text.replace("${aws:PrincipalTag/tenant}", "*").replace("${!aws:PrincipalTag/tenant}", "*")
    template = yaml_parse(text)
    adapt(template)
    use_development_build(template, folder)
    (folder / "template.json").write_text(json.dumps(template))
    sam = [pathlib.Path(sys.executable).with_name("sam"), "deploy", "--config-env", "dev", "--stack-name", STACK]
    sam += ["--config-file", pathlib.Path("samconfig.toml").absolute(), "--template-file", folder / "template.json"]
    sam += ["--parameter-overrides", " ".join(f"{name}={value}" for name, value in PARAMETERS.items())]
    deployed = subprocess.run(sam, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if deployed.returncode:
        sys.exit(deployed.stdout)

    stack = boto3.resource("cloudformation").Stack(STACK)
    api = stack.Resource("Api").physical_resource_id
    redeploy(api)
    [tenants] = [output["OutputValue"] for output in stack.outputs if output["OutputKey"] == "Tenants"]
    print(api, tenants)


main()
