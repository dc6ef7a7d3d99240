"""The keys of tokens that the site's own secret gives, where no setting names others."""

from __future__ import annotations

import hmac

from django.conf import settings

_SALT = b"serverless_tasks.tokens"


def keys_of_site() -> list[str]:
    """Return a key for ``SECRET_KEY`` and each of ``SECRET_KEY_FALLBACKS``, which tell nothing of these."""
    return [
        hmac.new(str(secret).encode(), _SALT, "sha256").hexdigest()
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
