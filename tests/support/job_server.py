"""A stand-in for AWS that keeps its connections open, and answers each question with what was asked for.

It is run as a process of its own, with a certificate's file or "-", and prints its port. It tells as well what was
sent, how many connections there were, and which processes have asked over one together.
"""

import hashlib
import json
import re
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb
from serverless_tasks.engine.store.items import job_item
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

SENT: list[str] = []
# What a question says of the process that asks it.
PROCESS = re.compile(r"process-\d+")


class Handler(BaseHTTPRequestHandler):
    server: "Server"
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.askers[self.client_address] |= set(PROCESS.findall(body.decode()))
        asked = json.loads(body)
        target = self.headers.get("X-Amz-Target", "").partition(".")[2]
        self._answer(ANSWERS[target](asked) if target else invoked(asked))

    def do_GET(self) -> None:
        askers = self.server.askers.values()
        shared = sorted(map(sorted, filter(lambda asking: len(asking) > 1, askers)))
        self._answer({"sent": SENT, "connections": len(askers), "shared": shared})

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        # Each connection, and the processes that have asked over it.
        self.askers: dict[Any, set[str]] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        self.askers[client_address] = set()
        super().process_request(request, client_address)

    def handle_error(self, *_: Any) -> None:
        """A client that has ended is no error."""


def job(uuid: str) -> dict[str, Any]:
    return to_dynamodb(job_item(a_message(FakeClock(), uuid=uuid)))


def invoked(asked: dict[str, Any]) -> dict[str, Any]:
    return {"uuid": asked["uuid"], "status": "succeeded", "outputs": asked["inputs"]}


def sent(asked: dict[str, Any]) -> dict[str, Any]:
    body = asked["MessageBody"]
    SENT.append(json.loads(body)["uuid"])
    return {"MessageId": "m", "MD5OfMessageBody": hashlib.md5(body.encode()).hexdigest()}


ANSWERS = {
    "Query": lambda asked: {"Items": [job(asked["ExpressionAttributeValues"][":pk"]["S"])]},
    "PutItem": lambda _: {},
    "UpdateItem": lambda _: {},
    "BatchWriteItem": lambda _: {"UnprocessedItems": {}},
    "SendMessage": sent,
}


def main(certificate: str) -> None:
    server = Server()
    if certificate != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
