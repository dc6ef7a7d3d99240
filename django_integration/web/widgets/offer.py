"""What a button offers, signed: a task, inputs that no browser can change, and the names of those that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.core import signing
from django.utils.translation import gettext as _
from pydantic_core import PydanticSerializationError, to_jsonable_python

from django_integration.web.http.responses import HTTPError
from serverless_tasks.errors import FieldError, InvalidInputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

_SALT: Final = "serverless_tasks.button"
# For how long a page may stay open before its buttons have to be loaded again, in seconds.
LONGEST: Final = 86_400
# The fields of the form that are no inputs.
OFFER: Final = "task-offer"
_OURS: Final = (OFFER, "csrfmiddlewaretoken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a button submits.

    Attributes:
        task: the task's name.
        inputs: the inputs that are fixed, in JSON.
        fields: the names of those that the form may give.
        owner: whose page the button is on, or None; nobody else can use it.
        label: the button's text.
        after: where the browser goes after it, ``{uuid}`` standing for the job's id; the status page unless given.
        key: the idempotency key, where all submits of the page's form are one job.
    """

    task: str
    inputs: dict[str, Any]
    fields: tuple[str, ...] = ()
    owner: str | None = None
    label: str = ""
    after: str = ""
    key: str | None = None

    def sign(self) -> str:
        """Return it as the text that the form carries."""
        told = [self.task, self.inputs, self.fields, self.owner, self.label, self.after, self.key]
        return signing.dumps(told, salt=_SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> Offer:
        """Read what `sign` gave.

        Raises:
            Refused: 400: it is older than a day, or not from this site.
        """
        try:
            told = signing.loads(text, salt=_SALT, max_age=LONGEST)
        except signing.SignatureExpired:
            message = _("This form is more than a day old. Load its page again.")
            raise HTTPError(400, "FormExpired", message) from None
        except signing.BadSignature:
            message = _(
                "This form was not made by this site, or was changed on its way. Load its page again."
            )
            raise HTTPError(400, "FormNotValid", message) from None
        task, inputs, fields, owner, label, after, key = told
        return cls(
            task=task, inputs=inputs, fields=tuple(fields), owner=owner, label=label, after=after, key=key
        )

    def with_fields(self, form: QueryDict) -> dict[str, Any]:
        """Return the inputs: the fixed ones, and those of the form.

        An empty field is as one that is left out; of several values of one name they are a list.

        Raises:
            InvalidInputs: the form has a field that this button does not take.
        """
        refused = [
            FieldError(
                name, "is fixed on this form" if name in self.inputs else "is not a field of this form"
            )
            for name in form
            if name not in (*self.fields, *_OURS)
        ]
        if refused:
            raise InvalidInputs(self.task, refused)
        found = {}
        for name in self.fields:
            if values := [value for value in form.getlist(name) if value]:
                found[name] = values[0] if len(values) == 1 else values
        return self.inputs | found


def new_key() -> str:
    """Return an idempotency key; that of a caller without a login has to be a UUID."""
    return str(uuid4())


def to_json(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs of a template as JSON.

    Raises:
        TypeError: one cannot be said in JSON.
    """
    try:
        made: dict[str, Any] = to_jsonable_python(dict(inputs))
    except PydanticSerializationError as error:
        raise TypeError(f"{{% task_button %}} was given an input that is no JSON: {error}") from error
    return made
