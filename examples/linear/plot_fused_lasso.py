"""
Steps in a signal
=================

The fused lasso penalizes differences of neighbours: the prox of λ Σ|w_{i+1} − w_i| is a signal with few steps (total
variation denoising). A larger λ has fewer steps.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(6)
truth = np.repeat([0.0, 2.0, 1.0, 3.0, 0.5], 60)
noisy = truth + 0.6 * rng.normal(size=truth.size)

figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
axis.plot(noisy, ".", color="0.7", label="signal with noise")
for lam in (0.5, 4.0, 40.0):
    smooth = sw.FusedLasso(lam).prox(noisy, 1.0)
    axis.plot(smooth, lw=2, label=f"λ = {lam:g}: {np.count_nonzero(np.diff(smooth))} steps")
axis.plot(truth, "k:", label="truth: 4 steps")
axis.set(xlabel="position", ylabel="value")
axis.legend(ncols=2)
plt.show()
