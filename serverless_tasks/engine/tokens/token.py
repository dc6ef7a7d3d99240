"""Tokens: what a caller may do with one job, until when, signed.

A token is ``stt1.<key id>.<payload>.<signature>``: a JSON object and its HMAC-SHA256, both in base64url. It is no JWT,
since a caller's ``Authorization: Bearer`` may hold one of the site's own: the first five characters say whose it is.
The payload is signed, not encrypted; it has no inputs.
"""

from __future__ import annotations

import hmac
import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.errors import InvalidToken, TokenExpired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serverless_tasks.engine.tokens.keys import Keys

READ: Final = "read"
CANCEL: Final = "cancel"
SUBMIT: Final = "submit"
# In the payload each is one letter; these never change.
_LETTERS: Final = {READ: "r", CANCEL: "c", SUBMIT: "s"}
PREFIX: Final = "stt1."
# Longer than any of ours; what is longer is not looked at.
_LONGEST: Final = 4096
LONGEST_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token's content.

    Attributes:
        uuid: the job; of a group or a chain, its members as well. With ``submit``, the job that is to be made.
        allow: what it allows: ``read``, ``cancel``, ``submit``.
        expires: when it ends, in whole seconds since the epoch.
        task: with ``submit``: the task's name.
        inputs: with ``submit``: the `digest` of its inputs.
        options: with ``submit``: the options of the submission, as JSON.
        alone: whether it is for the group or the chain without its members.
    """

    uuid: str
    allow: frozenset[str]
    expires: int
    task: str | None = None
    inputs: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False

    def covers(self, uuid: str, group: str | None) -> bool:
        """Return whether the token is for a job: this one, or a member of this group."""
        return self.uuid == uuid or (self.uuid == group and not self.alone)

    def signed(self, keys: Keys) -> str:
        """Return the token as text."""
        payload: dict[str, Any] = {
            "j": self.uuid,
            "a": "".join(letter for name, letter in _LETTERS.items() if name in self.allow),
            "e": self.expires,
        }
        if self.task is not None:
            payload |= {"t": self.task, "i": self.inputs}
            if self.options:
                payload["o"] = dict(self.options)
        if self.alone:
            payload["m"] = 0
        key = keys.signing()
        text = json.dumps(payload, separators=(",", ":")).encode()
        signed = f"{PREFIX}{key.id}.{_encoded(text)}"
        return f"{signed}.{_encoded(key.sign(signed.encode()))}"

    @classmethod
    def read(cls, text: str, keys: Keys, now: float) -> Token:
        """Read a token and check its signature and its time.

        Args:
            text: the token.
            keys: the keys that are accepted.
            now: the time, in seconds since the epoch.

        Raises:
            InvalidToken: it is none of ours, or was changed.
            TokenExpired: its time is over.
        """
        signed, _, signature = text.rpartition(".")
        parts = signed.split(".")
        if len(text) > _LONGEST or not is_token(text) or not text.isascii() or len(parts) != 3:
            raise InvalidToken("The token is not complete, or not one of this site's tasks.")
        key = keys.find(parts[1])
        if key is None:
            raise InvalidToken("The token was signed with a key that is not, or no longer, accepted.")
        # The texts are compared: base64 has several for the same bytes.
        if not hmac.compare_digest(_encoded(key.sign(signed.encode())), signature):
            raise InvalidToken("The token was changed: its signature does not fit.")
        token = cls._of(json.loads(urlsafe_b64decode(parts[2] + "==")))
        if now >= token.expires:
            raise TokenExpired("The token has expired; get a new one.")
        return token

    @classmethod
    def _of(cls, payload: Mapping[str, Any]) -> Token:
        return cls(
            uuid=payload["j"],
            # What a newer version allows besides is left out.
            allow=frozenset(name for name, letter in _LETTERS.items() if letter in payload["a"]),
            expires=payload["e"],
            task=payload.get("t"),
            inputs=payload.get("i"),
            options=payload.get("o", {}),
            alone="m" in payload,
        )


def is_token(text: str) -> bool:
    """Return whether a bearer token is one of ours, valid or not."""
    return text.startswith(PREFIX)


def bearer_of(authorization: str | None) -> str | None:
    """Return our token in an ``Authorization`` header (RFC 6750, section 2.1); None where it holds something else."""
    scheme, _, text = (authorization or "").strip().partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and is_token(text) else None


def scope(allow: Iterable[str], *, among: Iterable[str] = (READ, CANCEL)) -> frozenset[str]:
    """Return what a new token allows.

    Raises:
        ValueError: it is nothing, or something that there is not.
    """
    names, known = [allow] if isinstance(allow, str) else list(allow), tuple(among)
    if not names or any(name not in known for name in names):
        raise ValueError(f"allow={allow!r}: give one or more of {', '.join(map(repr, known))}.")
    return frozenset(names)


def expiry(minutes: float, now: float) -> int:
    """Return when a new token ends, in whole seconds since the epoch.

    Raises:
        ValueError: the minutes are too few, or too many for what nothing can take back.
    """
    number = isinstance(minutes, (int, float)) and not isinstance(minutes, bool)
    if not number or not 0 < minutes <= LONGEST_MINUTES:
        raise ValueError(f"minutes={minutes!r}: give a number above 0, at most {LONGEST_MINUTES} (a day).")
    return math.ceil(now + minutes * 60)


def digest(inputs: Any) -> str:
    """Return the digest of a job's inputs, whatever the order of their members."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return _encoded(sha256(text.encode()).digest())


def job_token(uuid: str, *, minutes: float, allow: Iterable[str], keys: Keys, now: float) -> str:
    """Return a token for a job.

    Args:
        uuid: the job.
        minutes: how long it holds.
        allow: what it allows: ``read``, ``cancel``.
        keys: one of them signs.
        now: the time, in seconds since the epoch.

    Raises:
        ValueError: see `scope` and `expiry`.
    """
    job = uuid_in(uuid)
    if job is None:
        raise ValueError(f"{uuid!r} is no job's id; give a UUID.")
    return Token(uuid=job, allow=scope(allow), expires=expiry(minutes, now)).signed(keys)


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
