"""Large payloads in S3."""

from __future__ import annotations

from typing import Any

from serverless_tasks.aws.session import call, client


class BucketBlobs:
    """Payloads as objects of one bucket.

    Args:
        bucket: the bucket's name.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @property
    def _client(self) -> Any:
        # Made on first use: few tasks have large payloads, and the client costs a cold start.
        return client("s3")

    def put(self, key: str, data: bytes) -> None:
        """Keep a payload."""
        call(self._client.put_object, Bucket=self._bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        """Fetch a payload."""
        body: bytes = call(self._client.get_object, Bucket=self._bucket, Key=key)["Body"].read()
        return body
