"""The null endpoint's server: ``python -m benchmarks.null_aws.server [--latency SECONDS]`` prints its address.

``GET /counts`` tells what was called since the last ``DELETE /counts``: operation -> calls, bytes in, bytes out.
``PUT /items`` takes what later queries, gets and updates find, in DynamoDB's JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from benchmarks.null_aws.answers import Kept, answer

ERROR = {"__type": "com.amazonaws#UnknownOperationException", "message": "the null endpoint does not know it"}


@dataclass(slots=True)
class Told:
    """What the endpoint knows between calls."""

    endpoint: str
    latency: float
    kept: Kept = field(default_factory=Kept)
    counts: dict[str, list[int]] = field(default_factory=dict)

    def count(self, operation: str, read: int, written: int) -> None:
        """Count one call."""
        entry = self.counts.setdefault(operation, [0, 0, 0])
        entry[0] += 1
        entry[1] += read
        entry[2] += written


async def serve_one(told: Told, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the calls of one connection, one after another."""
    try:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except asyncio.IncompleteReadError:
                return
            line, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
            if headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status, answered = _answered(told, line, headers, body)
            data = json.dumps(answered).encode()
            target = headers.get("x-amz-target")
            if target is not None:
                told.count(target.rsplit(".", 1)[-1], len(head) + len(body), len(data))
                if told.latency:
                    await asyncio.sleep(told.latency)
            kind = "application/x-amz-json-1.0"
            writer.write(
                f"HTTP/1.1 {status} \r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
                f"x-amzn-RequestId: 0\r\n\r\n".encode()
                + data
            )
            await writer.drain()
    finally:
        writer.close()


def _answered(told: Told, line: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    method, path, _ = line.split(" ", 2)
    if path == "/counts":
        counts = dict(told.counts)
        if method == "DELETE":
            told.counts.clear()
        return 200, counts
    if path == "/items":
        told.kept.hold(json.loads(body))
        return 200, {}
    target = headers.get("x-amz-target", "")
    try:
        return 200, answer(target, body, told.endpoint, told.kept)
    except KeyError:
        return 400, ERROR


async def serve(latency: float) -> None:
    """Serve until the process is ended; prints the address first."""
    told = Told(endpoint="", latency=latency)
    server = await asyncio.start_server(
        lambda reader, writer: serve_one(told, reader, writer), "127.0.0.1", 0, limit=2**22
    )
    told.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(told.endpoint, flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    asyncio.run(serve(parser.parse_args().latency))
