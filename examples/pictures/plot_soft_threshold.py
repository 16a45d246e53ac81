"""
The soft threshold
==================

The prox of a penalty is the weight it leaves of w: argmin over u of ½(u − w)² + f(u). L1 subtracts λ and sets what is
below it to exactly 0; L2 divides; MCP thresholds small weights and leaves large ones unchanged.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

w = np.linspace(-3, 3, 601)
penalties = {
    "L1(1)": sw.L1(1.0),
    "L2(0.5)": sw.L2(0.5),
    "ElasticNet(1, 0.5)": sw.ElasticNet(1.0, 0.5),
    "MCP(1, γ=2)": sw.MCP(1.0, 2.0),
}

figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
axis.plot(w, w, ":", color="0.5", label="no penalty")
for name, penalty in penalties.items():
    axis.plot(w, penalty.prox(w, 1.0), label=name)
axis.set(xlabel="w before", ylabel="w after", aspect="equal")
axis.legend()
assert (sw.L1(1.0).prox(w, 1.0)[abs(w) <= 1] == 0).all()
plt.show()
