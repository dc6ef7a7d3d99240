"""An authenticator for ``TASKS_API_AUTHENTICATION``, beside ``"oidc"`` and those of ninja."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import authenticate
from ninja.security import HttpBasicAuth

if TYPE_CHECKING:
    from django.http import HttpRequest


class BasicAuth(HttpBasicAuth):
    """Name and password of a user of the site (RFC 7617), who then owns the job; over HTTPS alone."""

    def authenticate(self, request: HttpRequest, username: str, password: str) -> Any:
        """See `HttpBasicAuth`; what Django's authentication backends say."""
        return authenticate(request, username=username, password=password)
