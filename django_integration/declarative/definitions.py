"""Endpoint definitions of django-declarative-apis take these tasks for its own."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from django.apps import apps

THEIR_APP = "django_declarative_apis"
THEIRS = f"{THEIR_APP}.machinery.attributes"


def adopt(task: type, *, deferred: bool) -> None:
    """Register a class of ours as a virtual subclass of that library's, in a project that has it.

    Its endpoint definitions find tasks by ``isinstance``, sort them by ``attribute_number`` and ``priority``, and call
    ``run(endpoint)``: first all that are not deferrable, then, once changes to the resource are saved, the others.

    Args:
        task: a class of tasks.
        deferred: whether they can be deferred.
    """
    theirs = _theirs()
    if theirs is not None:
        (theirs.DeferrableEndpointTask if deferred else theirs.EndpointTask).register(task)


def _theirs() -> Any:
    # A mixin with tasks may be imported before the library is.
    if THEIRS not in sys.modules and apps.ready and apps.is_installed(THEIR_APP):
        return import_module(THEIRS)
    return sys.modules.get(THEIRS)
