"""A signed request to a function URL, as scripts of other services make it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

SECONDS = 30


def read_signed(url: str, path: str, region: str) -> tuple[int, bytes]:
    """GET below a function URL; returns the status code and the body.

    ``AWS_ENDPOINT_URL`` leads it elsewhere, as it leads AWS's own clients.

    Args:
        url: the function's URL.
        path: the path below it.
        region: its region.
    """
    host = urlsplit(url).netloc
    request = AWSRequest("GET", f"https://{host}/{path}", headers={"Host": host})
    SigV4Auth(botocore.session.get_session().get_credentials(), "lambda", region).add_auth(request)
    prepared = request.prepare()
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        prepared.url = f"{endpoint.rstrip('/')}/{path}"
    answer = URLLib3Session(timeout=SECONDS).send(prepared)
    return answer.status_code, answer.content
