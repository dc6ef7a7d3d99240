"""An issuer's public keys: asked for over HTTP, kept, and asked for again when a token names one that is new.

PyJWT reads the keys. Its ``PyJWKClient`` is not used: it asks again for every token with an unknown key, reads an
answer of any size, forgets its keys when the issuer is away, and knows no discovery.
https://pyjwt.readthedocs.io/en/stable/api.html#jwt.PyJWKClient
"""

from __future__ import annotations

import json
import threading
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import cryptography  # noqa: F401 - without it PyJWT reads no public key
import jwt

from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Mapping

FRESH = 3_600.0
# An issuer that is out of reach must not keep its keys valid for ever.
KEPT = 86_400.0
# Tokens with unknown keys must not make this site ask without end.
PAUSE = 30.0
TIMEOUT = 5.0
LARGEST = 1_000_000
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class IssuerUnreachable(ServerlessTasksError):
    """The issuer's keys could not be had."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and the algorithms that it verifies: those of its kind, or the one that its issuer names."""

    key: Any
    algorithms: tuple[str, ...]


class KeySet:
    """The keys of an issuer.

    They are asked for when there are none, when they are an hour old, and when a token names one that is not among
    them, but no more often than every 30 seconds. While the issuer is out of reach they are used for a day.

    Args:
        issuer: its URL, at which ``/.well-known/openid-configuration`` tells where the keys are.
        jwks_url: where they are, or None.
        clock: the time.
    """

    def __init__(self, issuer: str, jwks_url: str | None = None, clock: Clock | None = None) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._fetched = float("-inf")
        self._asked = float("-inf")
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`: keys that the parent was about to be given are asked for here as well."""
        self._lock = threading.Lock()
        self._asked = float("-inf")

    def find(self, kid: str) -> Key | None:
        """The key of this id, or None when the issuer has none.

        Raises:
            IssuerUnreachable: the keys could not be had, and there are none that are still good.
        """
        with self._lock:
            now = self._clock.now()
            stale = now - self._fetched > FRESH
            if (stale or kid not in self._keys) and now - self._asked >= PAUSE:
                self._refresh(now)
            if now - self._fetched > KEPT:
                raise IssuerUnreachable(f"The keys of {self._issuer} cannot be fetched.")
            return self._keys.get(kid)

    def _refresh(self, now: float) -> None:
        self._asked = now
        try:
            document = _get(self._jwks_url or self._discovered())
            self._keys = _usable(document)
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            if now - self._fetched > KEPT:
                raise IssuerUnreachable(f"The keys of {self._issuer} cannot be fetched: {error}") from error
            return
        self._fetched = now

    def _discovered(self) -> str:
        document = _get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document["issuer"] != self._issuer:
            raise ValueError(f"its configuration is for {document['issuer']!r}")
        url = document["jwks_uri"]
        if not isinstance(url, str):
            raise TypeError("its configuration has no jwks_uri")
        return url


def _usable(document: Mapping[str, Any]) -> dict[str, Key]:
    """The keys that verify signatures. A symmetric one would be a secret that everybody can read."""
    found = {}
    for entry in document["keys"]:
        kind, kid = entry.get("kty"), entry.get("kid")
        if kind not in _ALGORITHMS or not isinstance(kid, str) or entry.get("use", "sig") != "sig":
            continue
        algorithms = _ALGORITHMS[kind]
        if entry.get("alg") is not None:
            algorithms = tuple(name for name in algorithms if name == entry["alg"])
        found[kid] = Key(jwt.PyJWK(entry).key, algorithms)
    return found


def _get(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError(f"{url!r} is not an https URL")
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            return json.loads(answer.read(LARGEST))
    except HTTPError as error:
        error.close()  # it holds the response
        raise
