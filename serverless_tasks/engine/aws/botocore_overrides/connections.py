"""Connections that say when a call has been sent, so that another one can be on its way meanwhile.

botocore sends a request and reads its answer in one step, and so does urllib3. Between the two lies a method of
``http.client``: https://docs.python.org/3/library/http.client.html#http.client.HTTPConnection.getresponse
"""

from __future__ import annotations

from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from serverless_tasks.engine.store.overlap import sent

_THEIRS = {"http": AWSHTTPConnectionPool, "https": AWSHTTPSConnectionPool}


class _Plain(AWSHTTPConnection):  # type: ignore[misc]
    def getresponse(self) -> Any:
        sent()
        return super().getresponse()


class _Secure(AWSHTTPSConnection):  # type: ignore[misc]
    def getresponse(self) -> Any:
        sent()
        return super().getresponse()


class _PlainPool(AWSHTTPConnectionPool):  # type: ignore[misc]
    @property
    def ConnectionCls(self) -> Any:  # noqa: N802 - urllib3's name
        return _unless_replaced(_Plain, AWSHTTPConnectionPool, AWSHTTPConnection)


class _SecurePool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    @property
    def ConnectionCls(self) -> Any:  # noqa: N802 - urllib3's name
        return _unless_replaced(_Secure, AWSHTTPSConnectionPool, AWSHTTPSConnection)


def _unless_replaced(ours: type, pool: Any, theirs: type) -> Any:
    """Our connections, but those of a recorder such as vcrpy where it has put its own in the place of botocore's."""
    present = pool.ConnectionCls
    return ours if present is theirs else present


def say_when_sent(client: Any) -> None:
    """Let the calls of a client overlap; where botocore keeps its connections otherwise than is known here, none does.

    Args:
        client: one of botocore's.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    pools = getattr(session, "_pool_classes_by_scheme", None)
    if pools == _THEIRS:
        pools.update(http=_PlainPool, https=_SecurePool)
