import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "plx"
author = "The plx authors"
copyright = "The plx authors; Apache-2.0"
release = tomllib.loads((ROOT / "plx_core" / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"plx {release}"
html_copy_source = False
