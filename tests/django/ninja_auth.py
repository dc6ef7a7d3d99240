"""Authentication classes of a project's own."""

from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth


class KnowsTheWord(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Any:
        return token if token == "please" else None


class KnowsItLater(HttpBearer):
    async def authenticate(self, request: HttpRequest, token: str) -> Any:
        return token if token == "please" else None


class OpenSession(SessionAuth):
    """Forgets to ask for the CSRF token."""

    def __init__(self) -> None:
        super().__init__(csrf=False)


def logged_in(request: HttpRequest) -> Any:
    return request.user if request.user.is_authenticated else None
