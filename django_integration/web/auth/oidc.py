"""``TASKS_API_AUTHENTICATION = "oidc"``: identity tokens, verified against the keys of whoever issued them.

OpenID Connect Core 1.0, section 3.1.3.7 (https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from django.conf import settings
from ninja.security import HttpBearer

from django_integration.web.auth.jwks import IssuerUnreachable, KeySet
from django_integration.web.http.responses import HTTPError
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

GOOGLE = "https://accounts.google.com"
# Google signs with both: https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
GOOGLE_ISSUERS = (GOOGLE, "accounts.google.com")
LEEWAY = 30
LONGEST_TOKEN = 16_384
REQUIRED = ["iss", "aud", "exp", "iat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose tokens are taken.

    Attributes:
        issuer: ``TASKS_API_OIDC_ISSUER``; Google unless given.
        audiences: ``TASKS_API_OIDC_AUDIENCE``: whom the tokens must be made for.
        emails: ``TASKS_API_OIDC_EMAILS``: the accounts that may call, or None for all that the issuer knows.
        jwks_url: ``TASKS_API_OIDC_JWKS_URL``: where the keys are, or None to ask the issuer.
        leeway: ``TASKS_API_OIDC_LEEWAY``: how far clocks may differ, in seconds.
    """

    issuer: str
    audiences: tuple[str, ...]
    emails: tuple[str, ...] | None
    jwks_url: str | None
    leeway: float

    @property
    def issuers(self) -> tuple[str, ...]:
        """Return the accepted values of a token's issuer."""
        return GOOGLE_ISSUERS if self.issuer == GOOGLE else (self.issuer,)


def trust() -> Trust:
    """The settings.

    Raises:
        ConfigurationError: the audience is missing (any site's token would do without it), or one does not fit.
    """
    audiences = _texts("TASKS_API_OIDC_AUDIENCE")
    if not audiences:
        raise ConfigurationError(
            "TASKS_API_OIDC_AUDIENCE is not set; set it to the audience of the tokens, for Cloud Tasks the backend's"
            " base_url."
        )
    issuer = getattr(settings, "TASKS_API_OIDC_ISSUER", GOOGLE)
    if not isinstance(issuer, str) or not issuer.startswith(("https://", "http://")):
        raise ConfigurationError(f"TASKS_API_OIDC_ISSUER is {issuer!r}; expected a URL such as {GOOGLE!r}.")
    leeway = getattr(settings, "TASKS_API_OIDC_LEEWAY", LEEWAY)
    if isinstance(leeway, bool) or not isinstance(leeway, (int, float)) or not 0 <= leeway <= 600:
        raise ConfigurationError(f"TASKS_API_OIDC_LEEWAY is {leeway!r}; expected seconds from 0 to 600.")
    return Trust(
        issuer=issuer,
        audiences=audiences,
        emails=_texts("TASKS_API_OIDC_EMAILS"),
        jwks_url=getattr(settings, "TASKS_API_OIDC_JWKS_URL", None),
        leeway=leeway,
    )


class OIDCAuth(HttpBearer):
    """An authentication class for ninja: ``Authorization: Bearer <identity token>``."""

    def authenticate(self, request: HttpRequest, token: str) -> dict[str, Any]:
        """The token's claims.

        Raises:
            Refused: 401, the token is not to be trusted; 403, its account may not call; 503, the issuer cannot be
                asked for its keys.
        """
        return verify(token, trust())


def verify(token: str, trusted: Trust) -> dict[str, Any]:
    """The claims of a token that is to be trusted.

    Raises:
        Refused: see `OIDCAuth.authenticate`.
    """
    try:
        if len(token) > LONGEST_TOKEN:
            raise jwt.InvalidTokenError(f"the token is longer than {LONGEST_TOKEN:,} characters")
        kid = jwt.get_unverified_header(token).get("kid")
        key = keys(trusted.issuer, trusted.jwks_url).find(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidTokenError("the issuer has no such key")
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key.key,
            algorithms=list(key.algorithms),  # by the key, never by what the token says
            audience=list(trusted.audiences),
            issuer=list(trusted.issuers),
            leeway=trusted.leeway,
            options={"require": REQUIRED, "verify_aud": True, "verify_iss": True, "strict_aud": False},
        )
    except IssuerUnreachable as error:
        logger.warning("a token could not be verified: %s", error)
        message = "The token cannot be verified at the moment. Try again later."
        raise HTTPError(503, "IssuerUnreachable", message, headers={"Retry-After": "30"}) from None
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise HTTPError(
            401,
            "NotAuthenticated",
            f"The token was rejected: {error}.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        ) from None
    _check_account(claims, trusted)
    return claims


@cache
def keys(issuer: str, jwks_url: str | None) -> KeySet:
    """The keys of an issuer; kept for the life of the process, and fetched anew as `KeySet` says."""
    return KeySet(issuer, jwks_url)


def _check_account(claims: dict[str, Any], trusted: Trust) -> None:
    """Google signs a token for any audience that a customer asks for: the account is what tells them apart."""
    if trusted.emails is None:
        return
    if claims.get("email") not in trusted.emails or claims.get("email_verified") is not True:
        raise HTTPError(
            403,
            "PermissionDenied",
            "The token's account is not among those permitted to call (TASKS_API_OIDC_EMAILS).",
        )


def _texts(name: str) -> tuple[str, ...] | None:
    value = getattr(settings, name, None)
    if value is None:
        return None
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ConfigurationError(f"{name} is {value!r}; expected a string or a list of strings.")
    return texts
