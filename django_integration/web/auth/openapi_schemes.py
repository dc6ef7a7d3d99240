"""The security schemes of the OpenAPI document, from the site's settings.

https://spec.openapis.org/oas/v3.1.1.html#security-scheme-object
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from django_integration import conf
from django_integration.web.auth.caller import csrf_header
from django_integration.web.auth.typed_calls import (
    NAME,
    UNSET,
    authentication_of,
    authenticator,
    sent_on_purpose,
)

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.base import BaseTask

type Json = dict[str, Any]

SESSION: Final = "session"
CSRF: Final = "csrf"
BEARER: Final = "taskToken"


@dataclass(frozen=True, slots=True)
class Schemes:
    """The schemes that the calls of one document use.

    Attributes:
        named: what goes under ``components.securitySchemes``; it grows as calls are asked about.
    """

    named: dict[str, Json] = field(default_factory=dict)

    def of_site(self, *, reads: bool) -> list[Json]:
        """Return the alternatives where Django's login or Django REST framework's classes decide.

        Args:
            reads: whether the call only reads, so that a session needs no CSRF token.
        """
        if conf.current().uses_drf:
            return self._of_drf(reads=reads)
        anonymous: list[Json] = [{}] if conf.current().serves_anonymous else []
        return [self._session(reads=reads), *anonymous]

    def of_task(self, task: type[BaseTask]) -> list[Json]:
        """Return the alternatives for the typed calls of a task."""
        authentication = authentication_of(task)
        if authentication is UNSET:
            return self.of_site(reads=False)
        if authentication is None:
            return [{}]
        if authentication == "oidc":
            return [self._need("oidc", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})]
        ask = authenticator(authentication)
        name = getattr(ask, "__name__", type(ask).__name__)
        described = getattr(ask, "openapi_security_schema", None)
        need = self._need(name, dict(described) if described else _as_it_takes_it(name, NAME))
        return [need if sent_on_purpose(ask) else need | self._csrf()]

    def _of_drf(self, *, reads: bool) -> list[Json]:
        from django_integration.web.auth import drf  # says what is lacking where the framework is

        asked: list[Any] | None = drf.classes("TASK_API_AUTHENTICATION_CLASSES")
        from rest_framework import authentication, permissions
        from rest_framework.settings import api_settings

        needs = []
        for kind in api_settings.DEFAULT_AUTHENTICATION_CLASSES if asked is None else asked:
            if issubclass(kind, authentication.SessionAuthentication):
                needs.append(self._session(reads=reads))
            elif issubclass(kind, authentication.BasicAuthentication):
                needs.append(self._need("basic", {"type": "http", "scheme": "basic"}))
            elif issubclass(kind, authentication.TokenAuthentication):
                word = f'"{kind.keyword}" and the token, separated by a space.'
                needs.append(self._need(kind.__name__, _header("Authorization", word)))
            else:
                scheme = _as_it_takes_it(kind.__name__, "TASK_API_AUTHENTICATION_CLASSES")
                needs.append(self._need(kind.__name__, scheme))
        allowed = drf.classes("TASK_API_PERMISSIONS_CLASSES")
        if allowed is None:
            anonymous = conf.current().serves_anonymous
        else:
            open_to_all = (permissions.AllowAny, permissions.IsAuthenticatedOrReadOnly)
            anonymous = all(
                isinstance(kind, type) and issubclass(kind, open_to_all[: 1 + reads]) for kind in allowed
            )
        return [*needs, *([{}] if anonymous else [])]

    def with_token(self, needs: list[Json]) -> list[Json]:
        """Return the alternatives, and a token of the site as one more."""
        about = "A token that the site has made for one job (docs/tokens.md); it needs no cookie and no CSRF token."
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "stt1", "description": about}
        return [*needs, self._need(BEARER, scheme)]

    def _session(self, *, reads: bool) -> Json:
        cookie = {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
        need = self._need(SESSION, {**cookie, "description": "The site's session cookie."})
        return need if reads else need | self._csrf()

    def _csrf(self) -> Json:
        cookie = f"The value of the cookie {settings.CSRF_COOKIE_NAME}."
        return self._need(CSRF, _header(csrf_header(), cookie))

    def _need(self, name: str, scheme: Json) -> Json:
        self.named[name] = scheme
        return {name: []}


def _header(name: str, description: str) -> Json:
    return {"type": "apiKey", "in": "header", "name": name, "description": description}


def _as_it_takes_it(name: str, setting: str) -> Json:
    """Of a class that does not describe itself only the name is known; most read this header."""
    return _header("Authorization", f"Or another location that {name} reads ({setting}).")
