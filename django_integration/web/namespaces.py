"""The URL namespaces of a project: the calls may be included below others than our own."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from django.urls import NoReverseMatch, get_resolver, get_urlconf, reverse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.urls import URLResolver

APP: Final = "serverless_tasks"


def path_of(call: str, *, near: Sequence[str] = (), app: str | None = APP, args: Sequence[str] = ()) -> str:
    """Return the path of a call by the name of its URL, whatever namespaces it is included below.

    Args:
        call: the name of the URL.
        near: the namespaces of the request, outermost first; of several places, the one that shares most of them wins,
            then one in a namespace of our name, then the outermost.
        app: the application namespace to look in; None looks in all.
        args: the arguments of the URL.

    Raises:
        NoReverseMatch: the project has no such URL.
    """
    places = [
        namespace for namespace, of in _namespaces(get_resolver(get_urlconf())) if app is None or of == app
    ]
    places.sort(key=lambda place: (-_shared(place, near), place[-1] != APP, len(place)))
    for place in places:
        try:
            return reverse(":".join([*place, call]), args=args)
        except NoReverseMatch:
            continue
    raise NoReverseMatch(
        f"No URL of this project is named {call!r}: include django_integration.urls in its ROOT_URLCONF, below any"
        " prefix and namespace."
    )


def _shared(place: Sequence[str], near: Sequence[str]) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(place, near, strict=False))))


def _namespaces(resolver: URLResolver) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Yield each namespace, as its names from the outermost one, with its application."""
    for name, (_, inner) in resolver.namespace_dict.items():
        yield (name,), inner.app_name
        for below, app in _namespaces(inner):
            yield (name, *below), app
