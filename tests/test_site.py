"""The site: it builds without a warning, its links lead somewhere, its search finds."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("sphinx")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", "docs", ".", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


class Page(HTMLParser):
    """What can be linked to in a page, what it links to, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found.get("id"), found.get("name")}
        target = found.get("href", found.get("src"))
        if target is not None:
            (self.links if tag == "a" else self.loaded).append(target)


def test_links_lead_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 150
    dead = set()
    for path, page in pages.items():
        assert not [x for x in page.loaded if urlsplit(x).netloc], "of another host"
        for target in page.links + page.loaded:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            known = pages[there].anchors if there in pages else {""}
            if not there.is_file() or unquote(parts.fragment) not in known:
                dead.add((str(path.relative_to(site)), target))
    assert not dead


def test_styles_load_nothing_of_another_host(site):
    for path in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\W*(https?:)?//", path.read_text("utf-8"))


@pytest.fixture
def tab(site, browser):
    """A tab that may load files of the site, and nothing else."""
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    assert asked and all(x.startswith((site.as_uri(), "data:")) for x in asked)
    tab.close()


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("hvp", "docs/reference/derivatives.html#jaxkit.hvp"),
        ("Hessian vector", "docs/howto/hvp.html"),
        ("cotangent", "docs/glossary.html#cotangent"),
    ],
)
def test_search_finds(site, tab, words, page):
    tab.goto(f"{site.as_uri()}/search.html?q={words}")
    tab.locator(f"#search-results a[href^='{page}']").first.click()
    tab.wait_for_url(f"**/{page}*")


def test_pages_fit_a_phone(site, tab):
    for name in "index", "first_steps", "gallery", "cheatsheet", "reference/looking":
        tab.goto((site / "docs" / f"{name}.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_gallery_shows_programs(site, tab):
    tab.goto((site / "docs" / "gallery.html").as_uri())
    assert tab.locator("iframe").count() == 12
    first = tab.frame_locator("iframe >> nth=0")
    assert "42.0" in first.locator("[data-node='7']").text_content()


def test_the_cheat_sheet_is_one_page(site, tab):
    tab.goto((site / "docs" / "cheatsheet.html").as_uri())
    pdf = tab.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_its_first_page(site, tab):
    tab.goto((site / "index.html").as_uri())
    tab.wait_for_url("**/docs/index.html")
