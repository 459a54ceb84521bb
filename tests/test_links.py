"""Links between the pages of the repository lead somewhere."""

import re
from pathlib import Path

import pytest

from jaxkit.exercises import EXERCISES

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for folder in (
        "",
        "docs",
        "docs/howto",
        "docs/lessons",
        "experiments",
        "experiments/pages",
    )
    for page in (ROOT / folder).glob("*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)  # code has no links
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
            assert anchor in {head.lower().replace(" ", "-") for head in heads}, target


def test_there_are_pages():
    assert {page.name for page in PAGES} >= {"README.md", "design.md", "scaling.md"}


def test_the_table_of_books_names_what_there_is():
    text = (ROOT / "docs" / "books.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_/]+(?:\.py|/))`", text):
        assert (ROOT / "jaxkit" / name).exists() or (ROOT / name).exists(), name
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line[:2] == "| "]
    asked = " ".join(row[3] for row in rows)
    for first, last in re.findall(r"(\d+) to (\d+)", asked):
        asked += " " + " ".join(map(str, range(int(first), int(last) + 1)))
    numbers = {int(x) for x in re.findall(r"\d+", asked)}
    assert numbers == {x.number for x in EXERCISES if x.number is not None}
    lessons = {path.name for path in (ROOT / "docs" / "lessons").glob("*.md")}
    assert lessons == set(re.findall(r"lessons/([^)]+\.md)", text))
