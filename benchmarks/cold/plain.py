"""The floor of a cold start: what such a function plainly imports, one client, and the same two writes."""

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from pydantic import BaseModel

from benchmarks.bare_writes import begin, end
from benchmarks.cold.told import tell

IMPORTED = (BaseModel, BatchProcessor, EventType, process_partial_response)

logger = Logger(service="plain")
metrics = Metrics(namespace="Plain", service="plain")
client = boto3.client("dynamodb")

if __name__ == "__main__":
    begin(client, "00000000-0000-0000-0000-000000000000")
    end(client, "00000000-0000-0000-0000-000000000000")
    tell()
