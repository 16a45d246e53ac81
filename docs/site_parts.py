"""Parts of the site that are computed when it is built: the order of the gallery, the commands' help, the playground."""

import re
from pathlib import Path

import click
from docutils import nodes
from docutils.parsers.rst import Directive

import shrinkwise
from shrinkwise.cli import cli
from shrinkwise.report.playground import render_playground

TEN_PICTURES = [  # first in the gallery, in this order; the others follow by their names
    *("penalized_loss", "l1_l2_ball", "soft_threshold", "what_lambda_does", "choose_lambda", "sparsity_and_noise"),
    *("dropout_thinned", "average_subnetworks", "inverted_dropout", "dropout_averages"),
]


def gallery_order(name: str) -> tuple[int, str]:
    """Sort key of an example by the name of its file."""
    stem = name.removeprefix("plot_").removesuffix(".py")
    return (TEN_PICTURES.index(stem) if stem in TEN_PICTURES else len(TEN_PICTURES), name)


class CommandHelp(Directive):
    """`.. command-help:: fit` shows what `shrinkwise fit --help` prints."""

    required_arguments = 1

    def run(self):
        """The help as a block of text."""
        command = cli.commands[self.arguments[0]]
        shown = command.get_help(
            click.Context(command, info_name=f"shrinkwise {command.name}", terminal_width=84, max_content_width=84)
        )
        return [nodes.literal_block(shown, shown, language="text")]


def write_playground(app, exception) -> None:
    """The page of `shrinkwise playground`, beside the pages of the site."""
    if exception is None and app.builder.name == "html":
        (Path(app.outdir) / "playground_page.html").write_text(render_playground(), encoding="utf-8")


_CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_MARKUP = re.compile(r"(?<!\\)(\||(?<=\w)_(?!\w))")  # |w| and coef_ are links in reStructuredText


def escape_formulas(app, what, name, subject, options, lines) -> None:
    """Formulas in docstrings are plain text: their bars and final underscores are escaped, except in code."""
    paragraphs, literal = re.split(r"(\n[ \t]*\n)", "\n".join(lines)), None
    for k in range(0, len(paragraphs), 2):
        text = paragraphs[k]
        indent = len(text) - len(text.lstrip())
        literal = literal if literal is not None and indent > literal else None
        if literal is None and not text.lstrip().startswith(">>>"):
            pieces = _CODE.split(text)
            pieces[::2] = [_MARKUP.sub(r"\\\1", piece) for piece in pieces[::2]]
            paragraphs[k] = "".join(pieces)
            if text.rstrip().endswith("::"):
                literal = indent
    lines[:] = "".join(paragraphs).split("\n")


def skip_members_of_others(app, what, name, subject, skip, options) -> bool | None:
    """Methods that scikit-learn and torch give to their subclasses are documented there."""
    home = getattr(subject, "__module__", None) or "shrinkwise"
    return True if not home.startswith("shrinkwise") or re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Register the parts with sphinx."""
    assert callable(shrinkwise.audit)  # the function, before its package, which has the same name, is imported
    app.connect("autodoc-skip-member", skip_members_of_others)
    app.connect("autodoc-process-docstring", escape_formulas, priority=900)  # after numpydoc
    app.add_directive("command-help", CommandHelp)
    app.connect("build-finished", write_playground)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
