"""Pictures of graphs: boxes of text and arrows between them, as SVG and as Mermaid.

Also texts of which lines belong together, and tables, as HTML.

It knows nothing of derivatives.  What is drawn, an explained program, a symbolic
expression or a tape, says how it becomes a `Graph`.
"""

from jaxkit.drawing.files import displayed, write
from jaxkit.drawing.graph import Arrow, Box, Graph
from jaxkit.drawing.linked import linked, table
from jaxkit.drawing.mermaid import mermaid
from jaxkit.drawing.svg import svg

__all__ = [
    "Arrow",
    "Box",
    "Graph",
    "displayed",
    "linked",
    "mermaid",
    "svg",
    "table",
    "write",
]
