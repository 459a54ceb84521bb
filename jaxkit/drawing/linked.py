"""Texts beside each other as HTML: a line under the pointer, and what belongs to it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from html import escape

STYLE = """
.linked { display: flex; flex-wrap: wrap; gap: 0 24px; font: 12px/1.5 ui-monospace,
  Menlo, Consolas, monospace; }
.linked section { overflow-x: auto; max-width: 100%; }
.linked h4 { margin: 8px 0 2px; font: 600 13px system-ui, sans-serif; }
.linked code { display: block; white-space: pre; padding: 0 6px; border-radius: 4px; }
.linked code[data-key] { cursor: default; }
.linked code.together { background: #ffe08a; color: #1b1f24; }
"""
SCRIPT = """
for (const all of document.querySelectorAll(".linked:not([data-on])")) {
  all.dataset.on = "";
  const mark = (event, on) => {
    const line = event.target.closest("code[data-key]");
    if (!line) return;
    for (const x of all.querySelectorAll(`code[data-key="${line.dataset.key}"]`)) {
      x.classList.toggle("together", on);
    }
  };
  for (const [name, on] of [["mouseover", true], ["mouseout", false],
    ["focusin", true], ["focusout", false]]) {
    all.addEventListener(name, (event) => mark(event, on));
  }
}
"""

Line = tuple[Hashable | None, str]  # what it belongs to, and its text


def linked(texts: Sequence[tuple[str, Sequence[Line]]]) -> str:
    """Texts, each with a head; lines that belong to one thing light up together."""
    keys: dict[Hashable, int] = {}
    parts = [f"<style>{STYLE}</style>", '<div class="linked">']
    for head, lines in texts:
        parts.append(f"<section><h4>{escape(head)}</h4>")
        for key, line in lines:
            number = None if key is None else keys.setdefault(key, len(keys))
            data = "" if number is None else f' data-key="{number}" tabindex="0"'
            parts.append(f"<code{data}>{escape(line) or '&nbsp;'}</code>")
        parts.append("</section>")
    return "\n".join([*parts, "</div>", f"<script>{SCRIPT}</script>"])


def table(rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table of HTML, its head first."""
    head, *body = rows
    lines = [
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in [("th", head), *(("td", row) for row in body)]
    ]
    inside = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption>{escape(caption)}</caption>\n{inside}\n</table>"
