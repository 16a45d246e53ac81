"""A newcomer's first table: every trap that the first half hour with a table of one's own had, all in one file."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shrinkwise import cli

N = 300


def customers(n: int = N, seed: int = 0) -> pl.DataFrame:
    """Customers who leave: by satisfaction and spending; the rest are traps, and 12 rows are there twice."""
    rng = np.random.default_rng(seed)
    satisfaction = rng.integers(0, 3, n)
    spend = rng.gamma(4, 200, n)
    age = rng.integers(18, 80, n)
    leaves = rng.random(n) < 1 / (1 + np.exp(2 * (satisfaction - 1) + (spend - 800) / 400))
    days = rng.integers(0, 365 * 3, n)
    dates = pl.select(pl.date(2021, 1, 1) + pl.duration(days=pl.Series(days))).to_series()
    dashed = rng.random(n) < 0.05
    frame = pl.DataFrame(
        {
            "customer_id": [f"C-{i:05}" for i in range(n)],
            "account_no": rng.permutation(10_000)[:n] + 10_000,
            "signup": dates.dt.strftime("%d/%m/%Y"),
            "satisfaction": np.array(["low", "medium", "high"])[satisfaction],
            "annual_spend": ["-" if d else f"€{s:,.2f}" for d, s in zip(dashed, spend, strict=True)],
            "age": ["unknown" if rng.random() < 0.06 else str(a) for a in age],
            "balance": [f"({-b:.2f})" if b < 0 else f"{b:.2f}" for b in rng.normal(0, 100, n)],
            "postcode": [f"{p:05}" for p in rng.integers(1000, 1020, n)],
            "active": rng.choice(["Yes", "yes", "No", "NO"], n),
            "comment": [f"{w} and then something else happened, number {i}" for i, w in enumerate(rng.random(n))],
            "country": rng.choice(
                ["DE", "FR", "IT", *(f"X{i}" for i in range(12))], n, p=[0.4, 0.3, 0.18, *[0.01] * 12]
            ),
            "refund": np.where(leaves & (rng.random(n) < 0.9), rng.gamma(3, 10, n).round(2), 0.0),
            "cancelled_on": ["2023-06-01" if gone else "" for gone in leaves],
            "churn": np.where(leaves, "yes", "no"),
        }
    )
    return pl.concat([frame, frame.head(12)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, what --json said) of one quick run."""
    folder = tmp_path_factory.mktemp("newcomer")
    customers().write_csv(folder / "customers.csv")
    command = ["fit", str(folder / "customers.csv"), "--target", "churn", "--effort", "quick", "--methods", "lasso"]
    done = subprocess.run(
        [sys.executable, "-m", "shrinkwise", *command, "--jobs", "1", "--json", "--out", str(folder / "run")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return folder, json.loads(done.stdout)


def test_every_trap_is_seen(run):
    _, page = run
    kinds = {column["name"]: column["kind"] for column in page["columns"]}
    why = {column["name"]: column["reason"] for column in page["columns"]}
    assert {name for name, kind in kinds.items() if kind == "dropped"} == {
        "customer_id",
        "account_no",
        "comment",
        "cancelled_on",
    }
    assert "identifier" in why["customer_id"]
    assert "identifier" in why["account_no"]  # although 12 rows are there twice
    assert "possible leak" in why["cancelled_on"]
    assert kinds["signup"] == "date"
    assert kinds["satisfaction"] == "ordered"
    assert {kinds[name] for name in ("annual_spend", "age", "balance", "refund")} == {"number"}
    assert "'-' read as missing" in why["annual_spend"]
    assert "'unknown'" in why["age"]
    assert kinds["postcode"] == "category"
    assert kinds["active"] == "yes/no"
    notes = " ".join(page["notes"])
    assert "exact copies" in notes
    assert "'refund' may leak the target" in notes


def test_the_verdict_begins_with_the_column_that_knows_the_answer(run):
    _, page = run
    assert page["verdict"][0].startswith("Possible leak: 'cancelled_on' was dropped")


def test_new_rows_are_scored_alike_with_and_without_the_library(run, capsys):
    folder, _ = run
    new = customers(20, seed=1).head(8)
    new = new.with_columns(
        signup=pl.Series(["2023-05-06", *new["signup"][1:]]),
        balance=pl.Series(["−76.50", "abc", *new["balance"][2:]]),
        country=pl.Series(["Atlantis", *new["country"][1:]]),
    ).drop("comment", "customer_id", "churn", "cancelled_on")
    new.write_csv(folder / "new.csv")
    assert cli.run(["predict", str(folder / "run"), str(folder / "new.csv")]) == 0
    ours = list(csv.reader(capsys.readouterr().out.splitlines()))
    done = subprocess.run(
        [sys.executable, str(Path(folder, "run", "score.py")), str(folder / "new.csv")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    alone = list(csv.reader(done.stdout.splitlines()))
    assert [row[:2] for row in ours] == [row[:2] for row in alone]
    np.testing.assert_allclose(
        [[float(v) for v in row[2:]] for row in ours[1:]],
        [[float(v) for v in row[2:]] for row in alone[1:]],
        rtol=1e-12,
    )
