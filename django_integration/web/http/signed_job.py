"""The header that names the job which a push queue delivers, signed by the site that submitted it."""

from __future__ import annotations

from dataclasses import replace

from django.core import signing

from serverless_tasks.engine.job.message import Message

HEADER = "X-Serverless-Tasks-Job"
_SALT = "serverless_tasks.job"


def signed(message: Message) -> str:
    """Return the header's value: the job without its inputs, which are the body."""
    return signing.dumps(replace(message, inputs={}).encode(), salt=_SALT)


def read_signed(token: str) -> Message:
    """Return the job, without its inputs.

    Raises:
        django.core.signing.BadSignature: this site has not signed it.
        MessageError: it is no job.
    """
    return Message.decode(signing.loads(token, salt=_SALT))
