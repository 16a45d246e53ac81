"""Sources of rows, one file each: files, frames and arrays, queries, Dask collections."""
