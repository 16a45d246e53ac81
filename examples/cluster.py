"""A cross-validated lasso on a Dask cluster of this machine: two workers, Parquet files, one pass.

    pip install 'shrinkwise[dask]'
    python examples/cluster.py

On SLURM, Kubernetes or a cloud only the line that makes the cluster changes: see docs/streaming.md.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from distributed import Client, LocalCluster

import shrinkwise as sw


def write(folder, files=8, rows=100_000, columns=20):
    """Files with a target of which three columns are the cause."""
    for k in range(files):
        rng = np.random.default_rng(k)
        X = rng.normal(size=(rows, columns))
        frame = pl.DataFrame({f"x{j}": X[:, j] for j in range(columns)})
        y = X[:, :3] @ [1.0, -0.5, 0.25] + rng.normal(size=rows)
        frame.with_columns(y=y).write_parquet(folder / f"part-{k}.parquet")


def main():
    """Fit on the cluster and on this process alone, and compare the digits."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            start = time.perf_counter()
            rows = sw.rows(folder / "*.parquet", target="y", scheduler=client)
            model = sw.PenalizedRegressorCV(sw.L1(1.0), cv=5).fit(rows)
            print(f"{rows.n:,} rows on 2 workers in {time.perf_counter() - start:.1f} s")
        alone = sw.PenalizedRegressorCV(sw.L1(1.0), cv=5).fit(sw.rows(folder / "*.parquet", target="y"))
        print(model.summary())
        print("the same digits without the cluster:", np.array_equal(model.coef_, alone.coef_))


if __name__ == "__main__":
    main()
