"""Signature Version 4, without working out anew for each call what stays the same from one call to the next.

botocore's signer derives the day's key with four hashes, puts the request together to look at its body, and goes
through the headers twice, in a class made for e-mail. What is signed, and when, stays botocore's: an event made for
that tells a client of ours to use a subclass of botocore's signer, whose parts give the same answers sooner.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS, SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

_NAME = "serverless-tasks-v4"
_UNSIGNED_HEADERS = frozenset(SIGNED_HEADERS_BLACKLIST)


class _Signer(SigV4Auth):  # type: ignore[misc]
    """botocore's signer; it is made for one request."""

    _signed: dict[str, str] | None = None

    def add_auth(self, request: AWSRequest) -> None:
        self._signed = None
        super().add_auth(request)

    def headers_to_sign(self, request: AWSRequest) -> dict[str, str]:
        if self._signed is None:
            signed: dict[str, str] = {}
            for header, text in request.headers.items():
                name, value = header.lower(), " ".join(text.split())
                if name not in _UNSIGNED_HEADERS:
                    signed[name] = f"{signed[name]},{value}" if name in signed else value
            if "host" not in signed:
                signed["host"] = _host(request.url)
            self._signed = signed
        return self._signed

    def canonical_headers(self, headers_to_sign: dict[str, str]) -> str:
        return "\n".join(f"{name}:{headers_to_sign[name]}" for name in sorted(headers_to_sign))

    def signed_headers(self, headers_to_sign: dict[str, str]) -> str:
        return ";".join(sorted(headers_to_sign))

    def payload(self, request: AWSRequest) -> str:
        whole = request.context.get("payload_signing_enabled", True) and "checksum" not in request.context
        if whole and type(request.data) is bytes:
            return sha256(request.data).hexdigest()
        return str(super().payload(request))

    def signature(self, string_to_sign: str, request: AWSRequest) -> str:
        day = request.context["timestamp"][:8]
        key = _key(self.credentials.secret_key, day, self._region_name, self._service_name)
        return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


def sign_sooner(client: Any) -> None:
    """Let a client sign its calls so; where botocore has another signer than the one known here, with its own.

    Args:
        client: one of botocore's, of a service whose calls send JSON.
    """
    if not _agrees():
        return
    AUTH_TYPE_MAPS[_NAME] = _Signer
    # Asked last: where botocore, or a user, wants a call signed in some other way, that holds.
    client.meta.events.register_last("choose-signer", _choose)


def _choose(signature_version: str, **_: Any) -> str | None:
    return _NAME if signature_version == "v4" else None


@cache
def _agrees() -> bool:
    """Return whether this botocore's signer is the known one and gives the same signature as ours.

    It is another one where AWS's runtime in C (``awscrt``) is installed.
    """
    if AUTH_TYPE_MAPS.get("v4") is not SigV4Auth:
        return False
    try:
        return _signed(_Signer) == _signed(SigV4Auth)
    except Exception:  # noqa: BLE001 - whatever a later botocore has made of it, it signs for itself then
        return False


def _signed(signer: type[SigV4Auth]) -> tuple[str, str, str]:
    """Return a signer's signature of a fixed request."""
    headers = {
        "X-Amz-Date": "20200102T030405Z",
        "X-Amz-Security-Token": "t",
        "User-Agent": "u",
        "A-B": "1  2",
    }
    request = AWSRequest("POST", "https://example.com:8443/", headers, b"{}")
    request.context["timestamp"] = headers["X-Amz-Date"]
    signing = signer(ReadOnlyCredentials("key", "secret", "t"), "sqs", "us-east-1")
    canonical = signing.canonical_request(request)
    signature = signing.signature(signing.string_to_sign(request, canonical), request)
    return canonical, signature, signing.signed_headers(signing.headers_to_sign(request))


@lru_cache(maxsize=16)
def _host(url: str) -> str:
    signed = SigV4Auth(None, "", "").headers_to_sign(AWSRequest("POST", url))
    return str(signed["host"])


# One of a role's credentials, which change every few hours, and a day's, for each service.
@lru_cache(maxsize=16)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
