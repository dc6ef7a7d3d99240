"""Clients of a local server: past proxies, and never of a real account."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config as ClientConfig

from serverless_tasks.local.environment import LOCAL_AWS, REGION


def local_client(service: str, endpoint: str) -> Any:
    """Return a boto3 client of a service at a local server.

    Args:
        service: such as ``"sqs"``.
        endpoint: the server's URL.
    """
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=LOCAL_AWS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=LOCAL_AWS["AWS_SECRET_ACCESS_KEY"],
        config=ClientConfig(proxies={}, retries={"total_max_attempts": 1}),
    )
