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

        def get_object(**parameters: Any) -> dict[str, bytes]:
            # Reading is a part of the call: most of the network's errors come up there.
            return {"data": self._client.get_object(**parameters)["Body"].read()}

        data: bytes = call(get_object, Bucket=self._bucket, Key=key)["data"]
        return data
