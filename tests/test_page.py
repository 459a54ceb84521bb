"""The page of an explanation, in a browser: what it shows, keys, clicks, boxes."""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit.explaining import page as pages
from zoo.explained import PROGRAMS, lost, nested, notebook


@functools.cache
def explained(name):
    try:
        f, args = PROGRAMS[name]()
    except ImportError as error:
        pytest.skip(str(error))
    return jk.explain(f)(*args)


@pytest.mark.parametrize("name", PROGRAMS)
def test_text_fits_100_columns(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert max(map(len, str(explained(name)).splitlines())) <= 100


# ------------------------------------------------------------------------- the browser


@pytest.fixture
def shown(browser, tmp_path):
    """A function that opens an explanation's page; there must be no error in it."""
    errors = []
    tab = browser.new_page(viewport={"width": 1280, "height": 720})
    tab.on("console", lambda m: m.type == "error" and errors.append(m.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda r: r.url.startswith("file:") or errors.append(r.url))

    def open_(explanation):
        path = tmp_path / "page.html"
        explanation.save(path)
        tab.goto(path.as_uri())
        return tab

    yield open_
    assert not errors
    tab.close()


# What the details of all nodes say, by clicking on each.
READ = """() => [...document.querySelectorAll("g.node[data-node]")].map((group) => {
  group.dispatchEvent(new MouseEvent("click"));
  const found = { number: Number(group.dataset.node) };
  for (const x of document.querySelectorAll("#details [data-what]")) {
    const heat = x.querySelector("canvas");
    const cells = [...x.querySelectorAll("td")].map((cell) => cell.textContent);
    found[x.dataset.what] = heat && heat.entries ? heat.entries.flat(9).map(String)
      : cells.length ? cells : x.textContent;
  }
  return found;
})"""


def flat(x, complex_: bool) -> list:
    """The entries of JSON's lists, a complex one as a pair."""
    if complex_ and isinstance(x, list) and not isinstance(x[0], list):
        return [complex(*map(float, x))]
    return [y for z in x for y in flat(z, complex_)] if isinstance(x, list) else [x]


def same(cells, expected, dtype: str) -> None:
    if expected is None:
        assert cells == "·"
        return
    entries = flat(expected, dtype.startswith("complex"))
    found = [cells] if isinstance(cells, str) else cells
    kinds = {"b": lambda x: x == "true"}
    number = kinds.get(dtype[0], complex if dtype.startswith("complex") else float)
    np.testing.assert_array_equal(
        np.array([number(x) for x in found]), np.array(entries, np.result_type(dtype))
    ) if dtype[0] in "bc" else np.testing.assert_array_equal(
        np.array(found, float), np.array(entries, float)
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_steps_and_fit(name, shown):
    explanation = explained(name)
    tab = shown(explanation)

    # Every number is the one of the JSON.
    nodes = {x["number"]: x for x in json.loads(explanation.json())["nodes"]}
    found = tab.evaluate(READ)
    constants = [x for x in nodes.values() if x["kind"] == "const" and not x["shape"]]
    assert len(found) >= len(nodes) - len(constants)
    for row in found:
        node = nodes[row["number"]]
        same(row["value"], node["value"], node["dtype"])
        for what in "tangent", "adjoint":
            columns = node[f"{what}s"] or []
            assert sum(key.startswith(what) for key in row) >= len(columns)
            for k, x in enumerate(columns):
                same(row[f"{what} {k}"], x, node["dtype"])

    # To the end and back is to the start.
    tab.keyboard.press("Home")
    assert tab.inner_text("#where") == "nothing is computed yet"
    picture = lambda: tab.inner_html("#canvas").replace(' class=""', "")  # noqa: E731
    start = picture()
    steps = int(tab.get_attribute("#slider", "max"))
    adjoints = sum(bool(x["adjoints"]) for x in nodes.values())
    assert steps == len(nodes) + adjoints
    for _ in range(min(steps, 60)):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("End")
    assert tab.inner_text("#where") == f"all {steps} steps"
    assert picture() != start
    for _ in range(min(steps, 60)):
        tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Home")
    assert picture() == start

    # It is as wide as the window has room for, and not smaller than it is drawn.
    wide = tab.evaluate("document.querySelector('#canvas').scrollWidth")
    assert wide <= tab.evaluate("document.querySelector('#canvas').clientWidth")
    size = "getComputedStyle(document.querySelector('svg .title')).fontSize"
    assert tab.evaluate(size) == "12px"
    tab.set_viewport_size({"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_step_reveals_one_node(shown):
    tab = shown(jk.explain(notebook)(3.0, 4.0))
    tab.keyboard.press("Home")
    text = lambda n: tab.text_content(f"[data-node='{n}']")  # noqa: E731
    assert "3.0" not in text(1) and "unknown" in tab.get_attribute(
        "[data-node='1']", "class"
    )
    tab.keyboard.press("ArrowRight")
    assert tab.inner_text("#where") == "forward 1 of 7: n1"
    assert "3.0" in text(1) and "dx=1: 1.0" in text(1) and "df/dn: ·" in text(1)
    for _ in range(7):
        tab.click("#on")
    assert tab.inner_text("#where") == "backward 1 of 7: n7"
    assert "df/dn: 1.0" in text(7) and "df/dn: 1" in text(6) and "df/dn: ·" in text(4)
    tab.keyboard.press("ArrowRight")  # n6
    assert "df/dn: 1 + …" in text(2)
    tab.keyboard.press("ArrowRight")  # n5
    assert "df/dn: 10" in text(2) and "df/dn: 4" in text(4) and "df/dn: ·" in text(1)
    tab.fill("#slider", "0")
    assert tab.inner_text("#where") == "nothing is computed yet"


def test_details_of_a_node(shown):
    tab = shown(jk.explain(notebook)(3.0, 4.0))
    tab.click("[data-node='2']")
    details = tab.inner_text("#details")
    assert "n5: 1 * 9" in details and "n6: 1 * 1" in details
    tab.click("#details a:has-text('n5')")
    details = tab.inner_text("#details")
    assert "n5 n4 * n2" in details
    assert "mul: " in details and "return x * x * y + (y + 2)" in details
    assert re.search(r"explained.py:\d+ \(notebook\)", details)


def test_keys_alone(shown):
    tab = shown(jk.explain(nested)(jnp.array([0.7, -0.3])))
    press = tab.keyboard.press
    press("/")
    tab.keyboard.type("scan")
    press("Enter")
    assert tab.inner_text("#matches") == "2"
    press("Escape")
    assert "scan" in tab.inner_text("#details h2")
    press("o")
    assert re.fullmatch(r"nested > n\d+ scan", tab.inner_text("#trail"))
    while "step_1" not in (tab.text_content("#details h2") or ""):
        press("n")
    press("o")
    assert tab.inner_text("#trail").count(">") == 2
    press("Escape")
    press("Escape")
    assert tab.inner_text("#trail") == "nested"
    press("?")
    assert tab.is_visible("#legend") and "an input" in tab.inner_text("#legend")
    press("Escape")
    before = tab.evaluate("document.documentElement.dataset.theme")
    press("t")
    assert tab.evaluate("document.documentElement.dataset.theme") != before
    width = tab.get_attribute("#canvas svg", "width")
    press("+")
    assert float(tab.get_attribute("#canvas svg", "width")) > float(width)


def test_a_nan_is_red_and_has_a_reason(shown):
    tab = shown(jk.explain(lost)(jnp.array([1.0, -1.0, 2.0])))
    assert tab.locator("g.node.nan").count() >= 2
    assert "the first NaN in values: n2 = log(n1)" in tab.inner_text("#details")
    tab.click("[data-node='2']")
    assert "the first NaN in values" in tab.inner_text("#details .reason")


def test_arrays_are_numbers_and_then_pictures(shown):
    x = jnp.arange(3000.0).reshape(30, 100) * jnp.where(
        jnp.arange(100) == 7, jnp.nan, 1
    )
    tab = shown(jk.explain(lambda x, y: jnp.sum(x) * jnp.sum(y))(x, x[:3, :4]))
    tab.click("[data-node='1']")
    assert "3000 entries, 0 to 2999, 30 NaN" in tab.inner_text(
        "#details [data-what=value]"
    )
    assert tab.locator("#details [data-what=value] canvas").count() == 1
    tab.click("[data-node='2']")
    assert tab.locator("#details [data-what=value] td").count() == 12


def test_in_a_notebook(shown, tmp_path, browser):
    explanation = jk.explain(notebook)(3.0, 4.0)
    bundle = explanation._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml", "text/html"}
    (tmp_path / "cell.html").write_text(f"<body>{explanation._repr_html_()}</body>")
    tab = browser.new_page()
    tab.goto((tmp_path / "cell.html").as_uri())
    frame = tab.frame_locator("iframe")
    assert "42.0" in frame.locator("[data-node='7']").text_content()
    tab.close()


def test_shown_in_a_browser(monkeypatch):
    opened = []
    monkeypatch.setattr(pages.webbrowser, "open", opened.append)
    path = jk.explain(notebook)(3.0, 4.0).show()
    assert opened == [path.as_uri()]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    path.unlink()


def test_a_thousand_nodes_are_less_than_three_megabytes():
    def many(x):
        for _ in range(500):
            x = jnp.sin(x) * x
        return jnp.sum(x)

    explanation = jk.explain(many)(jnp.ones(5000))
    assert len(explanation.nodes) > 1000
    assert len(explanation.html()) < 3_000_000


def test_what_is_refused():
    state = next(iter(jk.explain(notebook, step=True)(3.0, 4.0)))
    with pytest.raises(ValueError, match="come to its end"):
        state.html()
    assert "text/html" not in state._repr_mimebundle_()


def test_boxes_that_are_not_in_the_page(monkeypatch):
    explanation = jk.explain(nested)(jnp.ones(3))
    whole = len(pages.opened(explanation))
    box = explanation.boxes[0].step
    monkeypatch.setattr(pages, "INSIDE", pages.least(box))
    graphs = pages.opened(explanation)
    assert len(graphs) == 2 < whole
    data = pages.data(explanation, graphs, 64)
    closed = [x for graph in data["graphs"] for x in graph["nodes"] if x["closed"]]
    assert closed


def test_a_long_loop_stays_closed_and_a_page_bounded(monkeypatch):
    """Opened, 300 steps with their arrows were 4.7 MB, and took a minute."""

    def loop(x):
        return lax.scan(lambda c, _: (jnp.sin(c), c), x, None, length=300)[0]

    explanation = jk.explain(loop)(1.0)
    monkeypatch.setattr(explanation, "open", None)  # isn't called
    assert len(explanation.html()) < 50_000
    explanation = jk.explain(nested)(jnp.ones(3))
    whole = len(pages.packed(explanation, pages.opened(explanation), 16))
    monkeypatch.setattr(pages, "MOST", whole // 2)
    shown = json.loads(re.search(r'"data">(.*?)</script>', explanation.html(), re.S)[1])
    numbers = [x["inside"] for graph in shown["graphs"] for x in graph["nodes"]]
    opened = {x for x in numbers if x is not None}
    assert opened == set(range(1, len(shown["graphs"]))), "whose box is there"
    assert 1 < len(shown["graphs"]) < len(pages.opened(explanation))


def test_no_path_of_this_machine_is_in_a_page(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    explanation = jk.explain(nested)(jnp.ones(3))
    shown, zoo = explanation.html(), Path(sys.modules[nested.__module__].__file__)
    assert str(zoo.parent) not in shown and "explained.py:" in shown
    assert str(zoo) in explanation.json()
    monkeypatch.chdir(zoo.parent.parent)
    explanation.complete()
    assert '"line":"zoo/explained.py:' in explanation.html()


# ------------------------------------------------------- what is no graph, in notebooks


def lit(tab):
    return tab.locator("code.together").all_text_contents()


def test_lines_that_belong_together_light_up(browser, tmp_path):
    _, pushforward = jk.linearize(lambda x: jnp.sum(jnp.sin(x) * x), jnp.ones(3))
    stages = jk.stages(notebook)(3.0, 4.0)
    path = tmp_path / "maps.html"
    both = f"{pushforward._repr_html_()}{stages._repr_html_()}"
    path.write_text(f"<!doctype html><body>{both}</body>", encoding="utf-8")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    heads = tab.locator("h4").all_text_contents()
    assert heads[:2] == ["the linear map", "its transpose"] and len(heads) == 6
    tab.hover("code:has-text('reduce_sum')")
    assert len(lit(tab)) == 2 and "broadcast_in_dim" in lit(tab)[1]
    tab.hover("code:text-is('n6 = add n2 n3')")
    assert lit(tab) == ["n6 = add n2 n3"] * 2 + ["dn6 = dn2"] * 2 + ["cn2 += cn6"]
    tab.hover("h4 >> nth=0")
    assert lit(tab) == []
    tab.close()


def test_tables_of_residuals():
    found = jk.residuals(lambda x: jnp.sum(jnp.sin(x)))(jnp.ones(3))
    page = found._repr_html_()
    assert page == found._repr_mimebundle_()["text/html"]
    assert "<th>read by</th>" in page and "<td>sin</td>" in page
    assert str(found).splitlines()[-1] in page
