"""How the manual is built."""

from __future__ import annotations

import codex_trio

project = "codex-trio"
author = "The codex-trio developers"
version = release = codex_trio.__version__
copyright = "2026, the codex-trio developers"  # noqa: A001 - Sphinx reads this name

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"codex-trio {release}"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"

# Types are not linked: the manuals that they stand in cannot be looked up without a network.
nitpick_ignore_regex = [("py:.*", ".*")]
