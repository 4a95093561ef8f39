import re
import sys
from pathlib import Path

from plx_core import __version__

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

project = "plx"
author = "The plx authors"
copyright = "The plx authors; Apache-2.0"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types in signatures, such as Keras's, have no page here

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
smartquotes_action = "qe"  # quotes and ellipses, but no dashes: `--` starts an option here

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 88
toc_object_entries = False

html_theme = "furo"
html_title = f"plx {release}"
html_static_path = ["_static"]
html_css_files = ["plx.css"]
html_copy_source = False


def docstring_to_rst(app, what, name, obj, options, lines):  # noqa: ANN001, ANN201
    """Turn Markdown code into reStructuredText: `code`, and paragraphs indented as code."""
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``\\ ", "\n".join(lines))
    text = re.sub(r"(?<=\n\n)(?= {4}\S)(?<!:\n\n)", ".. code-block:: python\n\n", text)
    lines[:] = text.split("\n")


def setup(app):  # noqa: ANN001, ANN201
    """Draw the diagrams and write the reference before Sphinx reads the pages."""
    import diagrams
    import reference

    def write(app):  # noqa: ANN001, ANN202
        diagrams.write(Path(app.srcdir) / "diagrams")
        reference.write(Path(app.srcdir) / "reference")

    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", docstring_to_rst, priority=400)  # before napoleon
