"""The pages' texts and their translations: ``python -m infra.messages``, which is ``make messages``.

Brings every catalogue in ``django_integration/locale`` up to date with the sources and compiles it. Babel does what
Django's ``makemessages`` needs GNU gettext for, so that it works, and is tested, where that is not installed.
"""

from __future__ import annotations

import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
APP: Final = ROOT / "django_integration"
LOCALE: Final = APP / "locale"
LAZY: Final = {
    f"{name}_lazy": DEFAULT_KEYWORDS[name] for name in ("gettext", "ngettext", "pgettext", "npgettext")
}
KEYWORDS: Final = {**DEFAULT_KEYWORDS, **LAZY}
WIDTH: Final = 110
# Pages of the admin are seen where Django's admin is installed, and its texts with it.
ADMIN: Final = ("admin/", "templates/admin/")


def python_source(path: Path) -> str:
    """Return a module's source, or for a template calls of gettext in place of its tags."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    if not settings.configured:
        settings.configure()
    # What is no call is of no meaning, nor is its indentation.
    return "\n".join(line.strip() for line in templatize(text, origin=str(path)).splitlines())


def sources(app: Path = APP) -> Iterator[Path]:
    """The files that hold texts: modules and templates."""
    yield from sorted(app.rglob("*.py"))
    yield from sorted((app / "templates").rglob("*.html"))


def marked(app: Path = APP) -> Iterator[tuple[str, Any, list[str], str | None]]:
    """Every text that is marked in the sources: the file, the text or its forms, its comments, and its context."""
    for path in sources(app):
        name = path.relative_to(app).as_posix()
        given = BytesIO(python_source(path).encode())
        for _, text, comments, context in extract("python", given, KEYWORDS, ("Translators:",), {}):
            yield name, text, comments, context


def wanted(app: Path = APP) -> Catalog:
    """Return every text that is marked in the sources, but for those that Django has translated itself."""
    catalog = Catalog(project="Serverless Tasks", charset="utf-8")
    for name, text, comments, context in marked(app):
        if context is not None or strings(text)[0] not in djangos(admin=name.startswith(ADMIN)):
            catalog.add(text, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalog


def left_to_django(app: Path = APP) -> list[tuple[str, str]]:
    """Return the texts of the sources that Django has translated itself, each with its file."""
    return [
        (name, strings(text)[0])
        for name, text, _, context in marked(app)
        if context is None and strings(text)[0] in djangos(admin=name.startswith(ADMIN))
    ]


@cache
def djangos(*, admin: bool, language: str = "en") -> dict[str, str]:
    """Return the texts, without a context, of Django itself and, where it is there, of its admin.

    Returns:
        Each with its translation: "" where the language's catalogue has none, as that of English has not.
    """
    folder = Path(django.__file__).parent
    found: dict[str, str] = {}
    for place in ("conf", "contrib/admin")[: 1 + admin]:
        with (folder / place / f"locale/{language}/LC_MESSAGES/django.po").open("rb") as file:
            for message in read_po(file, locale=language):
                if message.context is None and message.id:
                    given = dict(zip(strings(message.id), strings(message.string), strict=False))
                    found |= {
                        text: translation
                        for text, translation in given.items()
                        if translation or text not in found
                    }
    return found


def catalogues(locale: Path = LOCALE) -> list[Path]:
    """Return the catalogue of each language."""
    return sorted(locale.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    """Return a catalogue as it is."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name)


def update(path: Path, texts: Catalog) -> list[str]:
    """Give a catalogue the texts of the sources, without those that are no longer there.

    Returns:
        The texts that are not translated.
    """
    catalog = read(path)
    catalog.fuzzy = False  # a new catalogue's header
    catalog.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    with path.open("wb") as file:
        write_po(file, catalog, width=WIDTH, ignore_obsolete=True, include_lineno=False, sort_by_file=True)
    return [str(message.id) for message in catalog if message.id and not all(strings(message.string))]


def strings(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the forms of a text or of a translation: one, or as many as there are plurals."""
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


def compile_catalogue(path: Path, target: Path | None = None) -> None:
    """Write what Django reads: beside the catalogue, or to `target`."""
    with (target or path.with_suffix(".mo")).open("wb") as file:
        write_mo(file, read(path))


def main() -> int:
    """Update and compile all; 1 where a text is not translated."""
    texts = wanted()
    lacking = 0
    for path in catalogues():
        missing = update(path, texts)
        compile_catalogue(path)
        lacking += len(missing)
        sys.stdout.write(f"{path.relative_to(ROOT)}: {len(texts)} texts, {len(missing)} not translated\n")
        sys.stdout.writelines(f"  {text}\n" for text in missing)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
