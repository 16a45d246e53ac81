"""
Inverted dropout and the expected output
========================================

Kept outputs are divided by `keep`, so the expected output is keep · (x / keep) + (1 − keep) · 0 = x, and evaluation
changes nothing. The mean of many draws approaches x at the rate of its standard error, x √((1 − keep) / keep) / √draws.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from shrinkwise.dropout.functional import dropout

x, draws = torch.ones(4000), np.arange(1, 4001)
figure, axis = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
for keep in (0.9, 0.5, 0.2):
    outputs = dropout(x, keep=keep, seed=1).numpy()  # each element is 0 or 1 / keep
    (line,) = axis.plot(draws, outputs.cumsum() / draws, label=f"keep = {keep}")
    error = np.sqrt((1 - keep) / keep / draws)
    axis.fill_between(draws, 1 - 2 * error, 1 + 2 * error, color=line.get_color(), alpha=0.12, lw=0)
axis.axhline(1.0, color="0.3", lw=1)
axis.set(xscale="log", ylim=(0, 2.2), xlabel="draws", ylabel="mean output for x = 1, with ± 2 standard errors")
axis.legend()
plt.show()
