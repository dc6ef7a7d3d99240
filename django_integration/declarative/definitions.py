"""Endpoint definitions of django-declarative-apis take these tasks for its own."""

from __future__ import annotations

import sys

THEIRS = "django_declarative_apis.machinery.attributes"


def adopt(task: type, *, deferred: bool) -> None:
    """Register a class of ours as a virtual subclass of that library's, once it has been imported.

    Its endpoint definitions find tasks by ``isinstance``, sort them by ``attribute_number`` and ``priority``, and call
    ``run(endpoint)``: first all that are not deferrable, then, once changes to the resource are saved, the others.

    Args:
        task: a class of tasks.
        deferred: whether they can be deferred.
    """
    theirs = sys.modules.get(THEIRS)
    if theirs is not None:
        (theirs.DeferrableEndpointTask if deferred else theirs.EndpointTask).register(task)
