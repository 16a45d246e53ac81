"""How sphinx builds the site: `make docs` writes it to build/docs, offline and with warnings as errors."""

import os
import shutil
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shrinkwise  # noqa: E402

project = "shrinkwise"
author = "the shrinkwise developers"
version = release = shrinkwise.__version__
html_title = "shrinkwise"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "site_parts",
]
templates_path = ["_templates"]
exclude_patterns = ["gallery/*.md5", "gallery/*.ipynb", "gallery/*.py"]
default_role = "code"  # `x` in a docstring is code
suppress_warnings = ["config.cache"]  # the order of the gallery is a function, which sphinx cannot store

myst_heading_anchors = 3
autosummary_generate = sorted(str(page) for page in (DOCS / "reference").glob("*.rst"))
autodoc_typehints = "none"  # the docstrings state types and shapes
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # the template of a class lists them
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "write_computation_times": False,
    "subsection_order": ["../examples/pictures", "../examples/linear", "../examples/networks"],
    "within_subsection_order": "site_parts.gallery_order",
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 60,
    "image_srcset": [],
    "plot_gallery": "True",
    "only_warn_on_example_error": True,
    "remove_config_comments": True,
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static", "pictures"]
html_favicon = "_static/icon.svg"
html_css_files = ["site.css"]
html_js_files = [("names.js", {"defer": "defer"})]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "back_to_top_button": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copyright = "the shrinkwise developers, BSD-3-Clause"


def setup(app):
    """Remove pages of names that no longer exist: autosummary keeps what it wrote in an earlier build."""
    shutil.rmtree(DOCS / "reference" / "generated", ignore_errors=True)
