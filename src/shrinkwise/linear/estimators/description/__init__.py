"""After the fit: measures of given rows, the summary, the baseline hazard."""
