"""
All penalties
=============

Their shape (grey; shaded: the allowed w), and their prox, argmin over u of ½‖u − w‖² + f(u), of a weight, a pair or a
matrix (blue).
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

PAIR, GREY, LIGHT, BLUE = np.zeros(2, dtype=int), "0.45", "0.88", "#0b62c4"
ONE = [sw.L1(1.0), sw.L2(0.5), sw.ElasticNet(1.0, 0.5), sw.L0(0.5), sw.MCP(0.8, 2.0), sw.SCAD(0.7), sw.Box(-1.5, 1.0)]
TWO = [sw.GroupLasso(0.7, PAIR), sw.SparseGroupLasso(0.9, PAIR), sw.GroupMCP(0.6, PAIR, 2.0), sw.NonNegative()]
TWO += [sw.Hierarchical(0.5, M=0.7), sw.SLOPE(1.0, [1.2, 0.4]), sw.L1Ball(1), sw.L2Ball(1), sw.Simplex(1.5), sw.TopK(1)]
MANY = [sw.FusedLasso(0.9), sw.NuclearNorm(1.6), sw.MaxNorm(1.8), sw.RowSparsity(2)]


def draw(axis, penalty, noise):
    if penalty in ONE:
        w, f, u = np.array([(x[0], penalty.value(x), *penalty.prox(x, 1.0)) for x in np.mgrid[-3:3:601j, :1][0]]).T
        u[1:][abs(np.diff(u)) > 0.1] = np.nan  # a jump is no line
        axis.fill_between(w, -3, 3, where=np.isfinite(f) & np.isinf(f).any(), color=LIGHT, lw=0)
        axis.plot(w, w, ":", w, f, "-", color=GREY)
        axis.plot(w, u, color=BLUE, lw=2.2)
        axis.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="one weight")
    elif penalty in TWO:
        column = isinstance(penalty, sw.Hierarchical)  # its pair: the skip weight above the hidden one
        line, coarse = np.linspace(-2.4, 2.4, 41), np.linspace(-2.1, 2.1, 6)
        fine, coarse = (np.stack(np.meshgrid(x, x), -1).reshape(-1, 2, *[1] * column) for x in (line, coarse))
        f = np.array([penalty.value(w) for w in fine])
        if np.isinf(f).any():
            axis.plot(*np.array([penalty.prox(w, 1e-9).ravel() for w in fine]).T, ".", color=LIGHT)
        if f[np.isfinite(f)].any():
            axis.contour(line, line, np.ma.masked_invalid(f).reshape(41, 41), 5, colors=GREY, linewidths=0.6)
        for w in coarse:
            axis.plot(*np.stack([w, penalty.prox(w, 1.0)], 1).reshape(2, 2), color="#9cc3ea", lw=0.9)
            axis.plot(*penalty.prox(w, 1.0).ravel(), "o", color=BLUE, ms=3, zorder=3)
        axis.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), xlabel="skip weight, hidden weight" if column else "two weights")
    elif isinstance(penalty, sw.FusedLasso):
        axis.plot(w := np.repeat([0.5, 2.0, 1.2, -0.3], 12) + 0.35 * noise(48), "o", color=GREY, ms=2.5)
        axis.step(range(48), penalty.prox(w, 1.0), where="mid", color=BLUE, lw=2.2)
        axis.set(xlabel="a signal")
    else:
        w, rank = np.diag([0.6, 1.4, 0.9, 1.8, 0.5, 1.1]) @ noise((6, 5)), isinstance(penalty, sw.NuclearNorm)
        before, after = (np.linalg.svd(m)[1] if rank else np.linalg.norm(m, axis=1) for m in (w, penalty.prox(w, 1.0)))
        axis.bar(range(len(before)), before, color="none", edgecolor=GREY)
        axis.bar(range(len(after)), after, color=BLUE, width=0.5)
        axis.set(xlabel="singular values of a matrix" if rank else "norms of a matrix's rows")
    axis.set(xticks=[], yticks=[], title=type(penalty).__name__, box_aspect=1)


figure = plt.figure(figsize=(15, 8.3), layout="constrained")
for k, penalty in enumerate([*ONE, *TWO, *MANY], start=1):
    draw(figure.add_subplot(3, 7, k), penalty, np.random.default_rng(3).standard_normal)
plt.show()
