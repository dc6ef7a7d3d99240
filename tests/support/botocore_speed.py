"""botocore without what only a real server sees of a request: its signature, its other headers, its host's name.

The searches for faults make some million calls, and half of their time went there. What a caller depends on stays:
serialising, the hooks, retries and their pauses, parsing, errors. S3's requests are made as ever: moto reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSPreparedRequest
from botocore.endpoint import Endpoint
from botocore.regions import EndpointRulesetResolver

_INVOCATION = "amz-sdk-invocation-id"
# The endpoint of each operation of a client.
_found: dict[tuple[Any, str], Any] = {}


@contextmanager
def quick_requests() -> Iterator[None]:
    """Make requests without signing them, and look for an operation's endpoint once."""
    make_request, find = Endpoint.create_request, EndpointRulesetResolver.construct_endpoint

    def create_request(self: Any, params: dict[str, Any], operation_model: Any = None) -> Any:
        if operation_model is None or operation_model.service_model.service_name == "s3":
            return make_request(self, params, operation_model)
        headers = {_INVOCATION: params["context"]["retries"]["invocation-id"]}
        return AWSPreparedRequest(params["method"], params["url"], headers, params["body"], False)

    def construct_endpoint(
        self: Any, operation_model: Any, call_args: dict[str, Any], request_context: dict[str, Any]
    ) -> Any:
        if operation_model.service_model.service_name == "s3":
            return find(self, operation_model, call_args, request_context)
        key = (self, operation_model.name)
        if key not in _found:
            _found[key] = find(self, operation_model, call_args, request_context)
        return _found[key]

    with (
        mock.patch.object(Endpoint, "create_request", create_request),
        mock.patch.object(EndpointRulesetResolver, "construct_endpoint", construct_endpoint),
    ):
        yield
