"""axe-core, the accessibility checker, run in a page."""

from playwright.sync_api import Page

from tests.browser import npm


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong on the page, each with the elements that it is about."""
    page.evaluate((npm.install() / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {rule['help']} {[node['target'] for node in rule['nodes']]}"
        for rule in found["violations"]
    ]
