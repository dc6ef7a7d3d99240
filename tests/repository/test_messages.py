"""The translations: every text of the pages is marked, and every catalogue has all of them."""

import gettext
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from infra import messages

TEMPLATES = messages.APP / "templates"
SCRIPTS = messages.APP / "static" / "serverless-tasks"
CATALOGUES = [pytest.param(path, id=path.parents[1].name) for path in messages.catalogues()]
WANTED = messages.wanted()
# %(name)s, {name} and elements.
PARTS = re.compile(r"%\(\w+\)\w|\{\w+\}|<[^>]+>")
# Read by nobody as words.
ATTRIBUTES = ("aria-label", "title", "alt", "placeholder")


def keys(catalog: Catalog) -> set[tuple[str | None, str | tuple[str, ...]]]:
    return {(message.context, message.id) for message in catalog if message.id}


def texts(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def test_there_is_german() -> None:
    assert [path.parents[1].name for path in messages.catalogues()].count("de") == 1
    assert len(WANTED) > 100


@pytest.mark.parametrize("path", CATALOGUES)
def test_a_catalogue_has_every_text_of_the_sources_and_no_other(path: Path) -> None:
    """`make messages` mends it."""
    found, wanted = keys(messages.read(path)), keys(WANTED)
    assert sorted(map(str, wanted - found)) == []
    assert sorted(map(str, found - wanted)) == []


@pytest.mark.parametrize("path", CATALOGUES)
def test_every_text_is_translated(path: Path) -> None:
    catalog = messages.read(path)
    lacking = [
        message.id
        for message in texts(catalog)
        if message.fuzzy
        or not all(messages.strings(message.string))
        or (message.pluralizable and len(messages.strings(message.string)) != catalog.num_plurals)
    ]
    assert lacking == []


@pytest.mark.parametrize("path", CATALOGUES)
def test_a_translation_has_the_same_values_and_elements_as_its_text(path: Path) -> None:
    unlike = [
        (text, string)
        for message in texts(messages.read(path))
        for text in [messages.strings(message.id)[-1]]
        for string in messages.strings(message.string)
        if sorted(PARTS.findall(text)) != sorted(PARTS.findall(string))
    ]
    assert unlike == []


@pytest.mark.parametrize("path", CATALOGUES)
def test_what_django_reads_is_what_the_catalogue_says(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    expected = {}
    for message in texts(messages.read(path)):
        ids, strings = messages.strings(message.id), messages.strings(message.string)
        name = ids[0] if message.context is None else f"{message.context}\x04{ids[0]}"
        if message.pluralizable:
            expected |= {(name, form): string for form, string in enumerate(strings)}
        else:
            expected[name] = strings[0]
    entries = compiled._catalog  # type: ignore[attr-defined]
    assert {key: string for key, string in entries.items() if key} == expected


@pytest.mark.parametrize("path", CATALOGUES)
def test_texts_that_are_left_to_django_are_translated_by_it(path: Path) -> None:
    """Django's own catalogues are not complete: a text that one lacks has a context here, so that it is ours."""
    language = path.parents[1].name
    lacking = [
        (name, text)
        for name, text in messages.left_to_django()
        if not messages.djangos(admin=name.startswith(messages.ADMIN), language=language).get(text)
    ]
    assert lacking == []


class _Unmarked(HTMLParser):
    """The words of a page that no tag of Django's writes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)
        given = dict(attrs)
        shown = [given.get(name) or "" for name in ATTRIBUTES]
        if tag == "input" and given.get("type") == "submit":
            shown.append(given.get("value") or "")
        self.found += [text for text in shown if words(text)]

    def handle_data(self, data: str) -> None:
        if words(data):
            self.found.append(data.strip())


def words(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", text) is not None


def unmarked(source: str) -> list[str]:
    """The texts of a template that are not marked for translation."""
    source = re.sub(r"{% comment %}.*?{% endcomment %}", "", source, flags=re.DOTALL)
    source = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}", "", source, flags=re.DOTALL)
    source = re.sub(r"{% block (?:bodyclass|coltype) %}.*?{% endblock %}", "", source)
    passed = re.findall(r"{% include [^%]*?\b(?:label|value|title)=(\"[^\"]+\")", source)
    parser = _Unmarked()
    parser.feed(re.sub(r"{[%{].*?[%}]}", "", source))
    return [*parser.found, *passed]


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_every_text_of_a_template_is_marked(path: Path) -> None:
    assert unmarked(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.js")), ids=lambda path: path.name)
def test_scripts_have_their_texts_from_the_page(path: Path) -> None:
    source = re.sub(r"^\s*(//|/\*\*|\*).*$|\s//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert re.findall(r"""['"`](?:[A-Z][a-z]+|[a-z]+ [a-z]+ )[^'"`\n]*['"`]""", source) in (
        [],
        ["'Content-Type'"],
    )
    named = set(re.findall(r"""\btext\(\s*'([\w-]+)'""", source))
    pages = "".join(page.read_text(encoding="utf-8") for page in TEMPLATES.rglob("*.html"))
    assert {
        name for name in named if f'data-text="{name}"' not in pages and not name.startswith("status-")
    } == set()


class TestTheReaderOfTexts:
    """That the tests above would see what they look for."""

    @pytest.fixture
    def app(self, tmp_path: Path) -> Path:
        (tmp_path / "templates" / "admin").mkdir(parents=True)
        return tmp_path

    def template(self, app: Path, text: str, name: str = "page.html") -> set[tuple[str | None, object]]:
        (app / "templates" / name).write_text(text)
        return set(keys(messages.wanted(app)))

    def test_tags_and_constants_of_templates(self, app: Path) -> None:
        source = """
            <p>{% translate "Plain" %}</p>
                {% translate "Fall" context "season" %}
          {% include "x.html" with label=_("Passed") %} {% blocktranslate trimmed %}
             Two lines,
             {{ name }}
          {% endblocktranslate %}"""
        assert self.template(app, source) == {
            (None, "Plain"),
            ("season", "Fall"),
            (None, "Passed"),
            (None, "Two lines, %(name)s"),
        }

    def test_plurals(self, app: Path) -> None:
        source = """
        {% blocktranslate count n=3 context "jobs" %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}
        {% blocktranslate count n=3 %}{{ n }} hour off{% plural %}{{ n }} hours off{% endblocktranslate %}"""
        assert self.template(app, source) == {
            ("jobs", ("%(n)s day", "%(n)s days")),
            (None, ("%(n)s hour off", "%(n)s hours off")),
        }

    def test_calls_of_modules(self, app: Path) -> None:
        (app / "module.py").write_text(
            "from django.utils.translation import gettext_lazy as _\n"
            "a = _('Lazy')\nb = pgettext('verb', 'Open')\nc = ngettext('%d jar', '%d jars', 2)\n"
            "d = npgettext_lazy('fruit', 'one', 'many', 'n')\ne = f(gettext('Nested'))\n"
        )
        assert set(keys(messages.wanted(app))) == {
            (None, "Lazy"),
            ("verb", "Open"),
            (None, ("%d jar", "%d jars")),
            ("fruit", ("one", "many")),
            (None, "Nested"),
        }

    def test_djangos_own_texts_are_left_to_django_where_they_are_there(self, app: Path) -> None:
        source = '{% translate "Clear all filters" %}'
        assert self.template(app, source, "admin/page.html") == set()
        assert self.template(app, source) == {(None, "Clear all filters")}

    def test_a_new_text_is_told_and_an_old_one_goes(self, app: Path, tmp_path: Path) -> None:
        catalogue = tmp_path / "de" / "LC_MESSAGES" / "django.po"
        catalogue.parent.mkdir(parents=True)
        catalogue.write_text('msgid "Old"\nmsgstr "Alt"\n')
        self.template(app, '{% translate "New one" %}')
        assert messages.update(catalogue, messages.wanted(app)) == ["New one"]
        assert keys(messages.read(catalogue)) == {(None, "New one")}

    @pytest.mark.parametrize(
        "source",
        [
            "<p>Text</p>",
            '<p aria-label="Text"></p>',
            '<input type="submit" value="Go on">',
            '{% include "x.html" with label="Text" %}',
            '{% translate "Marked" %} unmarked',
        ],
    )
    def test_unmarked_texts(self, source: str) -> None:
        assert unmarked(source) != []

    def test_marked_texts_and_values(self) -> None:
        assert (
            unmarked('<p class="bar">{% translate "Text" %}: {{ value }} · <b>{{ x|y:"Z z" }}</b></p>') == []
        )
