"""A null endpoint for the length of a block, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class NullAws:
    """A running endpoint."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take it for AWS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "null",
            "AWS_SECRET_ACCESS_KEY": "null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def counts(self) -> dict[str, list[int]]:
        """Operation -> calls, bytes in, bytes out; counting begins anew."""
        counts: dict[str, list[int]] = json.loads(self._ask("DELETE", "/counts"))
        return counts

    def holds(self, items: list[dict[str, Any]]) -> None:
        """Let every query find these items, and gets and updates that of their key; sets that grew begin anew."""
        self._ask("PUT", "/items", json.dumps(items).encode())

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())


@contextmanager
def null_aws(latency: float = 0.0) -> Iterator[NullAws]:
    """Start an endpoint.

    Args:
        latency: seconds that each answer takes.
    """
    command = [sys.executable, "-m", "benchmarks.null_aws.server", "--latency", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield NullAws(process.stdout.readline().strip())
        finally:
            process.terminate()
