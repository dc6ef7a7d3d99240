"""The keys that tokens are signed with."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

# A key of fewer bits than the hash weakens it (RFC 2104, section 3); that many characters of base64 are enough.
SHORTEST: Final = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key.

    Attributes:
        id: stands in each token, so that the key of it is found among several; it tells nothing of the secret.
        secret: the key itself.
    """

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Key:
        """Return the key of a text.

        Raises:
            ConfigurationError: it is too short.
        """
        if len(text) < SHORTEST:
            # The text is left out: it is a secret.
            raise ConfigurationError(
                f"A token key has {len(text)} characters; give {SHORTEST} or more at random, such as `openssl rand"
                " -base64 32` prints."
            )
        secret = sha256(b"serverless_tasks.tokens.secret\0" + text.encode()).digest()
        return cls(sha256(b"serverless_tasks.tokens.id\0" + secret).hexdigest()[:8], secret)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of data (HMAC-SHA256, RFC 2104)."""
        return hmac.digest(self.secret, data, "sha256")


class Keys(Protocol):
    """A set of keys, one of which signs."""

    def signing(self) -> Key:
        """Return the key that signs new tokens."""

    def find(self, id: str) -> Key | None:
        """Return the key of this id, or None."""


class FixedKeys:
    """Keys that are known from the start.

    Args:
        texts: the keys, newest first: the first one signs, all of them are accepted.

    Raises:
        ConfigurationError: there is none, or one is too short.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._keys = [Key.of(text) for text in texts]
        if not self._keys:
            raise ConfigurationError("Tokens need a key; set SERVERLESS_TASKS_TOKEN_KEYS (docs/tokens.md).")

    def signing(self) -> Key:
        """See `Keys.signing`."""
        return self._keys[0]

    def find(self, id: str) -> Key | None:
        """See `Keys.find`."""
        return next((key for key in self._keys if key.id == id), None)
