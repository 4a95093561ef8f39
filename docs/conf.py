import sys
from pathlib import Path

from plx_core import __version__

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

project = "plx"
author = "The plx authors"
copyright = "The plx authors; Apache-2.0"
release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

smartquotes_action = "qe"  # quotes and dots; two hyphens begin an option here, they are no dash

html_theme = "furo"
html_title = f"plx {release}"
html_static_path = ["_static"]
html_css_files = ["plx.css"]
html_copy_source = False


def setup(app):  # noqa: ANN001, ANN201 (Sphinx calls it)
    """Write what is made from the code before the pages are read."""
    import diagrams
    import reference

    def write(app):  # noqa: ANN001, ANN202
        diagrams.write(Path(app.srcdir) / "diagrams")
        reference.write(Path(app.srcdir) / "reference")

    app.connect("builder-inited", write)
