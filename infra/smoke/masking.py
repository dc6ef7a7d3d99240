"""Taking out of a text what nobody else should read: accounts, people, keys and tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN: Final = "***"
# The shortest that is looked for word for word, an account's number: AWS's keys are longer, a stand-in's are words.
_SHORTEST: Final = 12
_PATTERNS: Final = (
    # Whose ARN it is names a person or a role of the company: it goes whole. Of others the account goes, below.
    (re.compile(r"\barn:[\w-]+:(?:iam|sts):[^\s\"'<>|,)]+"), f"arn:{HIDDEN}"),
    (re.compile(r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,}\b"), HIDDEN),
    # Of a signed request: its query or its header.
    (re.compile(r"(?i)\b(Signature|Credential)=[^,&\s\"']+"), rf"\1={HIDDEN}"),
    (
        re.compile(
            r"(?i)([\w-]*(?:secret|token|password|passwd|access_key)[\w-]*[\"']?\s*[:=]\s*[\"']?)[^\s\"',}&]+"
        ),
        rf"\g<1>{HIDDEN}",
    ),
    (re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"), HIDDEN),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w"), HIDDEN),
    # The id of a function URL or of an API names the one of an account.
    (re.compile(r"\b[a-z0-9]{10,}(\.(?:lambda-url|execute-api)\.)"), rf"{HIDDEN}\1"),
    # The number of an account, in an ARN, in a queue's URL, alone or with hyphens.
    (re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])|(?<![0-9-])[0-9]{4}-[0-9]{4}-[0-9]{4}(?![0-9-])"), HIDDEN),
)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without what identifies an account or a person, or is secret.

    Args:
        text: the text.
        secrets: what is secret word for word: credentials, the account's number.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    text = text.replace(str(Path.home()), "~") if Path.home() != Path("/") else text
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
