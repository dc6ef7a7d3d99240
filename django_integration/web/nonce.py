"""The nonce of a page's content security policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from django.http import HttpRequest


def get_nonce(request: HttpRequest) -> str | None:
    """Return the nonce that scripts of the response carry: Django's own from 6.0 on, else that of django-csp.

    Reading it adds it to the policy; without either middleware there is none.

    Args:
        request: the page's request.
    """
    if django.VERSION >= (6, 0):
        from django.middleware.csp import get_nonce as of_django

        nonce = of_django(request)
        if nonce is not None:
            return str(nonce)
    nonce = getattr(request, "csp_nonce", None)
    return None if nonce is None else str(nonce)
