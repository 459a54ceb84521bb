"""The site: `python -m sphinx -W -c docs . site` builds it, without a network.

Pages are Markdown and read well where they stand, in the repository; so its root is
Sphinx's source folder, and links between files are links between pages.  What is added
here: a page for each file of Python, links to these from where they are named, and the
gallery's pages.
"""

from __future__ import annotations

import importlib
import inspect
import operator
import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.parsers import Parser
from sphinx.util.docutils import SphinxDirective

import jaxkit

ROOT = Path(__file__).parent.parent

project, release, language = "jaxkit", jaxkit.__version__, "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["sphinx.ext.linkcode"]
root_doc = "docs/index"
source_suffix = {".md": "markdown", ".rst": "restructuredtext", ".py": "python"}
include_patterns = ["*.md", "docs/**", "experiments/**", "jaxkit/**"]
include_patterns += ["zoo/explained.py"]
exclude_patterns = [".*", "site", "docs/**.py", "**/data", "**/results", "**/solutions"]
nitpicky = True
nitpick_ignore_regex = [("py:exc", "when called|from the pullback")]  # when it raises

myst_heading_anchors = 3

default_role = "literal"
autodoc_typehints = "none"  # the docstrings say it
autodoc_preserve_defaults, autodoc_member_order = True, "bysource"
napoleon_use_ivar, napoleon_attr_annotations = True, False
napoleon_custom_sections = [("Raises when called", "params_style")]

html_theme, pygments_dark_style = "furo", "github-dark"
html_title = "jaxkit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = html_copy_source = html_show_sphinx = False


class Source(Parser):
    """A file of Python as a page, whose lines have names: jaxkit/dual.html#L-12."""

    supported = ("python",)

    def parse(self, text, document):
        docname = document.settings.env.docname
        document.settings.env.metadata[docname] = {"orphan": "", "no-search": ""}
        title = f"{docname}.py"
        section = nodes.section("", nodes.title(title, title), ids=["source"])
        code = nodes.literal_block(text, text, language="python", linenos=True)
        code["highlight_args"] = {"lineanchors": "L"}
        document += section
        section += code


class Explained(SphinxDirective):
    """A program of the gallery: its code, and the page that explains it."""

    required_arguments = 2  # the name of the page, and of the code

    def run(self):
        page, code = self.arguments
        file = f"../explained/{page}.html"
        text = f"```{{literalinclude}} ../zoo/explained.py\n:pyobject: {code}\n```"
        frame = f'<iframe src="{file}" title="{code}, explained" loading="lazy">'
        alone = f'<p><a href="{file}">The page alone</a></p>'
        html = nodes.raw("", f"{frame}</iframe>{alone}", format="html")
        return [*self.parse_text_to_nodes(text), html]


def linkcode_resolve(domain, info):
    """Where in these pages a documented object stands."""
    try:
        module = importlib.import_module(info["module"])
        found = inspect.unwrap(operator.attrgetter(info["fullname"])(module))
        file, line = inspect.getsourcefile(found), inspect.getsourcelines(found)[1]
    except (AttributeError, TypeError):
        return None
    return f"../../{Path(file).relative_to(ROOT).with_suffix('.html')}#L-{line}"


def plain(app, what, name, obj, options, lines):
    """A docstring, as it reads, in reStructuredText."""
    text = "\n".join(["..", "", *lines] if what == "property" else lines)  # no type
    text = re.sub(r"(?m)^Returns:$", "Returns:\n    ..\n", text)
    text = re.sub(r"(?m)^Raises \((.*)\):$", r"Raises \1:", text)
    text = re.sub(r"(?m)^(\S.*)\n\n(?=    (?!>>>)\S)", r"\1\n\n::\n\n", text)  # code
    lines[:] = re.sub(r"(`[\w.]+`)(?=\w)", r"\1\\ ", text).split("\n")  # `Var`s


def named(text, docs):
    """(domain, kind, target) of the file or the public name that a word of code is."""
    if file := re.match(r"([\w/]+)\.(?:py|md)(?=:|$)", text):
        for docname in file[1], f"jaxkit/{file[1]}":
            if docname in docs:
                return "std", "doc", f"/{docname}"
    name = re.match(r"(?:jk\.|jaxkit\.)?(\w+)(?=\(|$)", text)
    if name and name[1] in jaxkit.__all__:
        return "py", "obj", f"jaxkit.{name[1]}"
    return None


def link(app, doctree):
    """Lead from a section's first mention of a file, or public name, to its page."""
    docname, seen = app.env.docname, set()
    for code in list(doctree.findall(nodes.literal)):
        target = named(code.astext(), app.env.found_docs)
        outside = list(above(code))
        section = next(x for x in outside if isinstance(x, nodes.section))
        taken = any(isinstance(x, TAKEN) for x in outside) or (section, target) in seen
        if taken or target in (None, ("std", "doc", f"/{docname}")):
            continue
        seen.add((section, target))
        names = dict(zip(("refdomain", "reftype", "reftarget"), target, strict=True))
        xref = pending_xref("", **names, refdoc=docname, refexplicit=True)
        code.replace_self(xref)
        xref += code


TAKEN = nodes.title, nodes.reference, pending_xref


def above(node):
    while node := node.parent:
        yield node


def explain(app):
    """Begin to write the gallery's pages; it takes as long as all others do."""
    folder = Path(app.outdir) / "explained"
    if app.fresh_env_used or not folder.exists():
        command = [sys.executable, "-m", "zoo.explained", folder]
        app.explaining = subprocess.Popen(command, cwd=ROOT)


def finish(app, error):
    """Wait for these, and lead from the site's folder to its first page."""
    running = getattr(app, "explaining", None)
    if running and running.wait():
        raise RuntimeError("the gallery's pages could not be written")
    first = f"{root_doc}.html"
    refresh = f'<meta http-equiv="refresh" content="0; url={first}">'
    page = f'<!doctype html><title>jaxkit</title>{refresh}<a href="{first}">jaxkit</a>'
    (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app):
    app.add_source_parser(Source)
    app.add_directive("explained", Explained)
    app.connect("autodoc-process-docstring", plain, priority=0)
    app.connect("doctree-read", link)
    app.connect("builder-inited", explain)
    app.connect("build-finished", finish)
