"""Dead letters as objects of the payload bucket: the body as it is, what is known of it as the object's metadata.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html: 2 KB in all, and ASCII only.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.job.dead_letter import PREFIX, DeadLetter, dead_letter_key
from serverless_tasks.engine.store.items import clipped
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from serverless_tasks.engine.aws.s3.payloads import BucketBlobs

AT_ONCE = 8
# Bytes of each text, before letters beyond ASCII take three for one.
LONGEST_TEXT = 200


class BucketDeadLetters:
    """Dead letters in a bucket.

    Args:
        client: an S3 client.
        bucket: the bucket's name.
        blobs: the same bucket's payloads.
    """

    def __init__(self, client: Any, bucket: str, blobs: BucketBlobs) -> None:
        self._client = client
        self._bucket = bucket
        self._blobs = blobs

    def keep(self, letter: DeadLetter, body: str) -> None:
        """See `DeadLetterStore.keep`; the same id is the same object, however often it is kept."""
        call(
            self._client.put_object,
            Bucket=self._bucket,
            Key=dead_letter_key(letter.id),
            Body=body.encode(errors="surrogatepass"),
            Metadata={
                "reason": _ascii(letter.reason),
                "task": _ascii(letter.task),
                "queue": _ascii(letter.queue),
                "deliveries": str(letter.deliveries),
                "sent": str(letter.sent),
            },
        )

    def all(self, *, before: int | None = None) -> Iterator[DeadLetter]:
        """See `DeadLetterStore.all`; a call for each thousand letters and one for each letter, several at one time."""
        start: dict[str, str] = {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="letters") as pool:
            while True:
                response = call(self._client.list_objects_v2, Bucket=self._bucket, Prefix=PREFIX, **start)
                keys = [
                    str(found["Key"]).removeprefix(PREFIX)
                    for found in response.get("Contents", [])
                    if before is None or _ms(found["LastModified"]) < before
                ]
                yield from (letter for letter in pool.map(self.find, keys) if letter is not None)
                if not response.get("IsTruncated"):
                    return
                start = {"ContinuationToken": response["NextContinuationToken"]}

    def page(self, limit: int, after: str = "") -> tuple[list[DeadLetter], str]:
        """See `DeadLetterStore.page`: a call for the list, and one for each letter."""
        start = {"StartAfter": dead_letter_key(after)} if after else {}
        response = call(
            self._client.list_objects_v2, Bucket=self._bucket, Prefix=PREFIX, MaxKeys=limit, **start
        )
        ids = [str(found["Key"]).removeprefix(PREFIX) for found in response.get("Contents", [])]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="letters") as pool:
            letters = [letter for letter in pool.map(self.find, ids) if letter is not None]
        return letters, ids[-1] if response.get("IsTruncated") and ids else ""

    def find(self, id: str) -> DeadLetter | None:
        """See `DeadLetterStore.find`."""
        try:
            head = call(self._client.head_object, Bucket=self._bucket, Key=dead_letter_key(id))
        except AwsError as error:
            if error.code in ("404", "NoSuchKey"):  # an answer to HEAD has no body to name the error in
                return None
            raise
        known = {name: unquote(value) for name, value in head.get("Metadata", {}).items()}
        return DeadLetter(
            id=id,
            reason=known.get("reason", ""),
            task=known.get("task", ""),
            queue=known.get("queue", ""),
            deliveries=int(known.get("deliveries", 0)),
            sent=int(known.get("sent", 0)),
            kept=_ms(head["LastModified"]),
        )

    def body(self, id: str) -> str:
        """See `DeadLetterStore.body`."""
        return self._blobs.get(dead_letter_key(id)).decode(errors="surrogatepass")

    def remove(self, ids: Sequence[str]) -> None:
        """See `DeadLetterStore.remove`."""
        self._blobs.delete([dead_letter_key(each) for each in ids])


def _ascii(text: str) -> str:
    return quote(clipped(text, LONGEST_TEXT), safe="/:,=()")


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
