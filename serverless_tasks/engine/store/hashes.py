"""The hashes that the rows of locks are found and compared by. They stand in tables: they never change."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any


def lock_id(kind: str, claimed: Any) -> str:
    """The id of the row of what is claimed."""
    return f"{kind}#{hashed(claimed)}"


def hashed(value: Any) -> str:
    """The hash of a JSON value, whatever the order of its members."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
