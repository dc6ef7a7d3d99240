"""The header ``Idempotency-Key``, with which a caller may send a request again without making a second task.

It is read as the IETF's draft writes it, a quoted string, and as most clients send it, bare:
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from ninja.params.functions import Header
from pydantic import WithJsonSchema

from django_integration.web.http.responses import HTTPError
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.submit.options import LONGEST_KEY

if TYPE_CHECKING:
    from django.http import HttpRequest

    from django_integration.web.auth.caller import Caller

HEADER: Final = "Idempotency-Key"
_ABOUT: Final = (
    f"1 to {LONGEST_KEY} printable ASCII characters; a UUID for callers who are not logged in. Sent again with the same"
    " key and inputs within 24 hours, a request gives back the first one's task (200); with other inputs, 409."
)
# How a view declares the header, for the OpenAPI document: the bare form.
_SCHEMA: Final = {"type": "string", "maxLength": LONGEST_KEY, "pattern": "^[!#-~]([ -~]*[!-~])?$"}
Key = Annotated[Annotated[str, WithJsonSchema(_SCHEMA)] | None, Header(alias=HEADER, description=_ABOUT)]
_BARE = re.compile(r"[!#-~][ -~]*")
# https://www.rfc-editor.org/rfc/rfc8941#section-3.3.3
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')


def key_of(request: HttpRequest, caller: Caller) -> str | None:
    """The request's key, or None.

    Callers who are not logged in share one room of keys, so that who guesses another's key and inputs would be given
    that one's task. Theirs are UUIDs therefore, as hard to guess as the task's own id, which opens it as well.

    Raises:
        Refused: 400, it cannot be used.
    """
    given: str | None = request.headers.get(HEADER)
    if given is None:
        return None
    quoted = _QUOTED.fullmatch(given)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else given
    if (quoted is None and _BARE.fullmatch(given) is None) or len(key) > LONGEST_KEY:
        raise _refused(f"has {len(key)} characters and is {given[:40]!r}")
    if caller.owner is None and not _is_uuid(key):
        raise _refused(f"is {given[:40]!r}, and you are not logged in", "a random UUID")
    return key


def _is_uuid(key: str) -> bool:
    return uuid_in(key) == key.lower()


def _refused(what: str, wanted: str = f"1 to {LONGEST_KEY} printable ASCII characters") -> HTTPError:
    return HTTPError(400, "InvalidIdempotencyKey", f"The header {HEADER} {what}; send {wanted}.")
