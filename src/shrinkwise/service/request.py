"""The request for a fit: one frozen object from Python, the command line or run.toml, which checks every setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shrinkwise.tables.errors import InputError

from . import checks

if TYPE_CHECKING:
    from shrinkwise.compare.options import NetworkOptions, Options
    from shrinkwise.tables import Layout, TablePlan

# What a repetition may choose anew: it moves no number.
_FREE = ("n_jobs",)


def _setting(default: Any, check: checks.Check) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class FitRequest:
    """The table, the target and the settings of one `shrinkwise.fit`, which documents them.

    A setting that is None takes the value of the effort or is not used. Making a request checks every setting by
    itself; whether the columns exist is checked by `Question.of`, which reads the table.

    Raises
    ------
    TypeError
        If a setting has the wrong type or does not exist.
    InputError (a ValueError)
        If a setting is outside its range, or two settings exclude each other.

    Examples
    --------
    >>> from shrinkwise.service import FitRequest
    >>> FitRequest("houses.csv", "price", drop="id").drop
    ('id',)
    """

    table: Any = field(metadata={"check": checks.table})
    target: str = field(metadata={"check": checks.column})
    _: KW_ONLY
    test: Any = field(default=None, metadata={"check": checks.table})
    header: int | None = _setting(None, checks.whole(1))
    no_header: bool = _setting(False, checks.flag)
    skip: int = _setting(0, checks.whole(0))
    sheet: str | None = _setting(None, checks.column)
    effort: str = _setting("normal", checks.one_of("quick", "normal", "thorough"))
    drop: tuple[str, ...] = _setting((), checks.columns)
    keep: tuple[str, ...] = _setting((), checks.columns)
    number: tuple[str, ...] = _setting((), checks.columns)
    category: tuple[str, ...] = _setting((), checks.columns)
    text: tuple[str, ...] = _setting((), checks.columns)
    group: str | None = _setting(None, checks.column)
    time: str | None = _setting(None, checks.column)
    shuffle: bool = _setting(False, checks.flag)
    level_means: bool = _setting(True, checks.flag)
    weight: str | None = _setting(None, checks.column)
    exposure: str | None = _setting(None, checks.column)
    offset: str | None = _setting(None, checks.column)
    task: str | None = _setting(None, checks.one_of("regression", "counts", "classes"))
    log_target: bool | None = _setting(None, checks.flag)
    methods: tuple[str, ...] | None = _setting(None, checks.methods)
    network: NetworkOptions | str | None = field(default="effort", metadata={"check": checks.network})
    folds: int | None = _setting(None, checks.whole(2))
    inner_folds: int | None = _setting(None, checks.whole(2))
    seed: int = _setting(0, checks.whole(0, 2**32 - 1))
    select: str = _setting("1se", checks.one_of("1se", "best", "within"))
    within: float | None = _setting(None, checks.real(0, 1))
    max_features: int | None = _setting(None, checks.whole(1))
    n_lambdas: int | None = _setting(None, checks.whole(2, 10_000))
    l1_ratios: tuple[float, ...] | None = _setting(None, checks.ratios)
    factors: Mapping[str, float] | None = _setting(None, checks.factors)
    bounds: Mapping[str, tuple[float, float]] | None = _setting(None, checks.bounds)
    stability_pairs: int | None = _setting(None, checks.whole(0, 10_000))
    budget: float | None = _setting(None, checks.real(1, unit=" second"))
    engine: str | None = _setting(None, checks.one_of("memory", "stream", "dask"))
    scheduler: str | None = _setting(None, checks.text("the address of a scheduler, such as 'tcp://host:8786'"))
    sql: str | None = _setting(None, checks.text("a query, such as 'SELECT * FROM sales'"))
    database: str | None = _setting(None, checks.text("the URL of a database, such as 'sqlite:///sales.db'"))
    n_jobs: int | None = _setting(None, checks.whole(1))

    def __post_init__(self):
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None or each.default is not None:
                self._set(each.name, each.metadata["check"](each.name, value))
        if self.within is not None and self.select == "1se":
            self._set("select", "within")
        if (self.within is None) == (self.select == "within"):
            raise InputError("Expected both select='within' and within (the share of the lowest score), or neither.")
        if (self.sql is None) != (self.database is None) or (self.sql is None) == (self.table is None):
            raise InputError("Expected a table, or sql with database and no table.")
        if self.scheduler is not None and self.engine != "dask":
            raise InputError("A scheduler belongs to the engine 'dask'; set both or neither.")
        if self.engine in ("stream", "dask") and self.file is None and self.sql is None:
            raise InputError(f"The engine {self.engine!r} reads files or a query, but the table is a data frame.")
        if self.header is not None and (self.no_header or self.skip):
            raise InputError(
                "Expected header, or no_header with or without skip, but header came with another of them."
            )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def of(cls, table: Any, target: str, settings: Mapping[str, Any]) -> FitRequest:
        """A request with settings by name; an unknown one is a TypeError that suggests the most similar name."""
        known = [each.name for each in fields(cls)]
        for name in settings:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "; see help(shrinkwise.fit)."
                raise TypeError(f"Unknown setting {name!r} of shrinkwise.fit{hint}")
        return cls(table, target, **settings)

    @classmethod
    def from_click(cls, given: Mapping[str, Any]) -> FitRequest:
        """From the parameters of `shrinkwise fit`, some of which name files or hold several values in one text."""
        from shrinkwise.tables.plan.settings import bounds_of, factors_of, share

        names = {each.name for each in fields(cls)} & set(given) - {"methods", "within", "bounds"}
        asked = {name: given[name] for name in names if given[name] is not None}
        asked["n_jobs"] = given["jobs"]
        if given["no_networks"]:
            asked["network"] = None
        if given["methods"] is not None:
            asked["methods"] = tuple(name.strip() for name in given["methods"].split(",") if name.strip())
            if not asked["methods"]:
                raise InputError("Expected names of methods with --methods, separated by commas, got none.")
        if given["within"] is not None:
            asked["within"] = share(given["within"])
        if given["penalty_factor"]:
            asked["factors"] = factors_of(given["penalty_factor"])
        if given["bounds"]:
            asked["bounds"] = bounds_of(given["bounds"])
        return cls(given["file"], **asked)

    @classmethod
    def from_toml(
        cls,
        record: Mapping[str, Any],
        *,
        file: Path | None = None,
        n_jobs: int | None = None,
        run_dir: Path | None = None,
    ) -> FitRequest:
        """The request recorded in run.toml; `file` replaces the recorded table.

        Files recorded by a relative path are also looked for beside the run folder, `run_dir`.

        Raises InputError if the record has no settings or an unknown or invalid one, or if a file has changed.
        """
        settings = record.get("fit")
        if not isinstance(settings, dict) or not {"table", "target"} <= set(settings):
            raise InputError(
                "This run cannot be repeated, because its table was a data frame and run.toml does not record "
                "its settings."
            )
        for name in ("table", "test"):
            if not isinstance(settings.get(name, ""), str):
                raise InputError(
                    f"This run.toml sets {name!r} to {settings[name]!r}, but the path of a file was expected."
                )
        settings = settings | ({} if file is None else {"table": str(file)}) | {"n_jobs": n_jobs}
        versions = record.get("versions")
        written_by = versions.get("shrinkwise") if isinstance(versions, dict) else "another version"
        unknown = [name for name in settings if name not in {each.name for each in fields(cls)}]
        if unknown:
            raise InputError(
                f"This run.toml has the setting {unknown[0]!r}, which this version of shrinkwise does not know; it was "
                f"written by {written_by}."
            )
        try:
            request = cls(**{**settings, "network": _network_of(settings.get("network", "effort"))})
        except (TypeError, ValueError) as error:
            raise InputError(f"This run.toml has an invalid setting: {error}") from None
        hashes = record.get("files")
        if not isinstance(hashes, dict) or not isinstance(hashes.get("table"), str):
            raise InputError(
                "This run cannot be repeated, because its run.toml does not contain the SHA-256 of the table."
            )
        return _with_files(request, hashes, run_dir or Path(), given=file is not None)

    def to_toml(self) -> dict[str, Any]:
        """{"fit": the settings, "files": the SHA-256 of each file} as TOML can hold them; {} if the table is not a
        file.

        Settings that are None are omitted, because TOML cannot express them; network=None is written as false.
        """
        from shrinkwise.tables import data_hash

        if self.file is None:
            return {}
        plain = {each.name: _plain(getattr(self, each.name)) for each in fields(self) if each.name not in _FREE}
        plain["network"] = self.network is not None and plain["network"]
        plain["test"] = plain["test"] if isinstance(self.test, str | Path) else None
        hashes = {name: data_hash(plain[name]) for name in ("table", "test") if plain[name] is not None}
        return {"fit": {name: value for name, value in plain.items() if value is not None}, "files": hashes}

    @property
    def file(self) -> Path | None:
        """The path of the table, if it is a file."""
        return Path(self.table) if isinstance(self.table, str | Path) else None

    @property
    def layout(self) -> Layout:
        """Where the table is in its file."""
        from shrinkwise.tables import Layout

        return Layout(self.header, self.no_header, self.skip, self.sheet)

    def options(self, plan: TablePlan | None = None) -> Options:
        """The options of the comparison: those of the effort on a table, overridden by the given settings."""
        from shrinkwise.compare.candidates.registry import without_missing_extras
        from shrinkwise.compare.options import Options, options_for

        names = {each.name for each in fields(Options)} & {each.name for each in fields(self)} - {"network"}
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.network != "effort":
            given["network"] = self.network
        return without_missing_extras(options_for(self.effort, plan, **given))


def _with_files(request: FitRequest, hashes: Mapping[str, str], run_dir: Path, *, given: bool) -> FitRequest:
    """The request with its files where they are now; they must be those that were read then."""
    from shrinkwise.runs.fitted_table import located
    from shrinkwise.tables import data_hash
    from shrinkwise.tables.reading.files import is_pattern

    found: dict[str, Any] = {}
    for name in ("table", "test"):
        path = getattr(request, name)
        if path is None or name not in hashes:
            continue
        path = Path(path) if given and name == "table" else located(Path(path), hashes[name], run_dir)
        if not (path.exists() or is_pattern(path)):
            hint = "; give the table with --file" if name == "table" else ""
            raise InputError(f"There is no file {path}, neither here nor beside the run folder{hint}.")
        if data_hash(path) != hashes[name]:
            raise InputError(
                f"{path} has changed since the run (its SHA-256 differs), so the numbers cannot be reproduced; "
                "specify the original file with --file, or run shrinkwise fit on this one."
            )
        if str(path) != str(getattr(request, name)):
            found[name] = str(path)
    return replace(request, **found) if found else request


def _network_of(value: Any) -> Any:
    """From TOML: false, "effort" or the table of a NetworkOptions."""
    from shrinkwise.compare.options import CocktailOptions, NetworkOptions

    if isinstance(value, dict):
        settings = {name: _tuples(each) for name, each in value.items()}
        if "cocktail" in settings:
            settings["cocktail"] = CocktailOptions(**{k: _tuples(v) for k, v in settings["cocktail"].items()})
        return NetworkOptions(**settings)
    return None if value is False else value


def _tuples(value: Any) -> Any:
    """Lists of TOML, also nested ones, as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, Mapping) else value
