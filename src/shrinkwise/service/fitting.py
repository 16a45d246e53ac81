"""`shrinkwise.fit`, and the same with output to a run folder for the command line."""

from __future__ import annotations

import errno
import inspect
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from shrinkwise.tables.errors import InputError

from .answer import Question, Result
from .request import FitRequest


def fit(table: Any, target: str, **settings: Any) -> Result:
    """Compare regularizers on a table by nested cross-validation, and keep the model with the lowest held-out score.

    Parameters
    ----------
    table : data frame (pandas, polars, pyarrow, …), or path of a file (CSV, Excel, Parquet, Arrow), of a folder of such files
        or of several by a pattern such as ``"data/*.parquet"``; None with `sql`
    target : str
        The column to predict.
    test : data frame or path, optional
        Rows not used for fitting or selection; the kept model is scored on them at the end.
    header : int
        Number of the line of the file that holds the header, from 1; lines above it are skipped. By default the header
        is found from the cells, and titles, footers, a second header row and a missing header are reported.
    no_header : bool
        The first line is already a row; columns are named "column 1", "column 2", ….
    skip : int
        Number of lines to skip at the beginning of the file.
    sheet : str
        Name of the sheet of a workbook; needed if several hold cells.
    effort : "quick", "normal" or "thorough"
        quick compares no networks and uses 30 values of λ; thorough uses 10 folds, 100 values of λ and larger networks.
        On a table of at least 5000 rows, 100 rows for each input and 300,000 values, normal uses 3 inner folds, 30 values of
        λ and one l1_ratio.
    drop : column names
        Columns to exclude. This and the next four also take a single name.
    keep : column names
        Columns to keep as inputs even if they look like an identifier, a constant or a leak of the target.
    number, category : column names
        Columns to parse as numeric, or as categories.
    text : column names
        Columns of free text, whose words in at least 5 rows become inputs (a bag of words).
    group : column name
        Rows with the same value stay in the same fold.
    time : column name
        Models are scored on rows later than those they were fitted on. By default a column of dates, or columns named year,
        quarter, month, week, day and hour, if successive rows by them have similar targets; these columns remain inputs.
    shuffle : bool
        Split the rows at random also where successive rows in time have similar targets.
    level_means : bool
        Replace a category of more than 200 levels (or of too many rare ones) by the mean of the target by level, shrunk and
        learned in the training rows of each fold. False makes its 200 most frequent levels 0/1 features, or drops it.
    weight : column name
        Weights ≥ 0 of the rows.
    exposure, offset : column name
        The exposure > 0 of each count, by which its rate is multiplied, or its logarithm; implies task="counts".
    task : "regression", "counts" or "classes"
        By default inferred from the values of the target. Counts have Poisson's loss, and the deviance as their score.
    log_target : bool
        Whether models are fitted to the logarithm of a positive target; by default if it is skewed and that predicts better.
    methods : names of `shrinkwise fit --methods`
        Candidates to compare; the baseline of each family is added. By default all.
    network : `shrinkwise.compare.NetworkOptions`, "effort" or None
        The networks that are compared: those of the effort, or none. Without PyTorch there are none.
    folds, inner_folds : int
        Outer folds, on which candidates are scored, and inner folds, which choose λ, l1_ratio and keep [5; see effort].
    seed : int
        Seed of the folds and the networks.
    select : "1se", "best" or "within"
        The setting of the candidate with the lowest score to keep: the strongest regularization within one standard
        error of the paired difference to its best setting, or the best setting. "within" keeps the model with the fewest
        inputs within the share `within` of the lowest score.
    within : float
        Share of the lowest score, .01 for 1 %; implies select="within".
    max_features : int
        Maximum number of inputs of the kept model.
    n_lambdas : int
        Length of the grid of λ [50; see effort].
    l1_ratios : numbers between 0 and 1
        Grid of l1_ratio for the elastic net [.1, .5, .9; see effort].
    factors : dict from input to a number ≥ 0
        Each multiplies λ for that input, in the linear models: a larger factor penalizes the input more, 0 not at all.
    bounds : dict from input to (low, high)
        Bounds of the coefficient in the units of the data, low ≤ 0 ≤ high; candidates without support for bounds are
        skipped.
    stability_pairs : int
        Pairs of half-samples on which the selection of inputs is repeated [50]; 0 for none.
    budget : float
        Time limit in seconds; candidates that do not finish are skipped.
    engine : "memory", "stream" or "dask"
        Read all rows into memory, or read them in blocks, here or on a Dask cluster. By default "memory" if the table is
        estimated to fit, else "stream". Streamed rows are planned and scored on a random sample of at most 50,000; models of
        least squares are fitted to all rows, other models to the sample.
    scheduler : str
        Address of the scheduler of a Dask cluster, for engine="dask", whose workers read the files.
    sql, database : str
        A query and the URL of its database (sqlite:///file.db, or one that SQLAlchemy reads), in place of a table.
    n_jobs : int
        Number of processes [one per core]; the results do not depend on it.

    Returns
    -------
    Result
        Print it for the comparison and the verdict; `predict` scores new rows; `save` writes the run folder.

    Raises
    ------
    InputError (a ValueError)
        If the table or a setting is invalid.
    TypeError
        If a setting has the wrong type or does not exist.

    Examples
    --------
    >>> import numpy as np, polars as pl, shrinkwise as sw
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "price": 3 * x[:, 0] + 0.1 * x[:, 2]})
    >>> result = sw.fit(frame, "price", effort="quick", methods="lasso", n_jobs=1)
    >>> result.page.target, len(result.predict(frame))
    ('price', 60)
    """
    return Question.of(FitRequest.of(table, target, settings)).answer()


fit.__signature__ = inspect.signature(FitRequest).replace(return_annotation="Result")  # type: ignore[attr-defined]


def fit_to_folder(
    request: FitRequest,
    out: Path,
    *,
    resume: bool = False,
    command: str = "",
    before: Callable[[Question], None] = lambda _: None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Result:
    """Answer a request whose table is a file and write the run folder `out`; errors are raised before the work starts
    where possible.

    Parameters
    ----------
    resume : bool
        Reuse the finished pieces of an interrupted run into the same folder.
    command : str
        The command shown in the report.
    before : callable
        Called with the question before the work starts.
    """
    from shrinkwise import __version__
    from shrinkwise.compare.comparison import Place
    from shrinkwise.compare.scoring.journal import claimed, clear_pieces
    from shrinkwise.runs.folder import check_place

    check_place(out)
    _refuse_another_question(out, request)
    place = Place(out.absolute().parent / f".{out.name}.unfinished", resume, __version__)
    with claimed(place.folder), _pieces_named(place.folder):
        if not resume:
            clear_pieces(place.folder)
        question = Question.of(request, progress, place.folder)
        before(question)
        place = replace(place, resume=resume or question.streamed is not None)  # the pieces of its passes are kept
        result = question.answer(progress, place, command)
        result.save(out)
        clear_pieces(place.folder)
    return result


@contextmanager
def _pieces_named(folder: Path):
    """Extend the error on a full disk by where the finished parts are and the advice to resume; without parts leave nothing."""
    from shrinkwise.compare.scoring.journal import clear_pieces, has_pieces

    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        said = (error.strerror or str(error)).removesuffix(".")
        if has_pieces(folder):
            said += f". The finished parts are kept in {folder}; free some space and repeat the command with --resume"
        else:
            clear_pieces(folder)
            said += ". Nothing was left behind; free some space and repeat the command"
        raise OSError(error.errno, f"{said}.") from error


def _refuse_another_question(out: Path, request: FitRequest) -> None:
    """Raise InputError if the run would replace one with another table or target."""
    from shrinkwise.runs.folder import is_run_folder
    from shrinkwise.runs.two_runs import read_record

    if not is_run_folder(out) or request.file is None:
        return
    there = read_record(out)["data"]
    table = Path(str(there.get("file", request.file))).name
    if (table, there["target"]) != (request.file.name, request.target):
        raise InputError(
            f"{out} contains a run on {table} that predicts {there['target']!r}; choose another folder with "
            "--out, or remove this one."
        )
