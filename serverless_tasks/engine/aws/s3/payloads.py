"""Large payloads in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
DELETE_BATCH = 1000


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

    def list(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        keys: list[str] = []
        start: dict[str, str] = {}
        while True:
            response = call(self._client.list_objects_v2, Bucket=self._bucket, Prefix=prefix, **start)
            keys += [found["Key"] for found in response.get("Contents", [])]
            if not response.get("IsTruncated"):
                return keys
            start = {"ContinuationToken": response["NextContinuationToken"]}

    def delete(self, keys: Sequence[str]) -> None:
        """Delete payloads; one that is not there counts as deleted.

        Raises:
            AwsError: some were not deleted.
        """
        for first in range(0, len(keys), DELETE_BATCH):
            objects = [{"Key": key} for key in keys[first : first + DELETE_BATCH]]
            response = call(
                self._client.delete_objects, Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
            )
            for refused in response.get("Errors", []):
                raise AwsError(
                    "s3.delete_objects",
                    refused.get("Code", "Unknown"),
                    f"{refused.get('Key')}: {refused.get('Message', '')}",
                    applied=False,
                )
