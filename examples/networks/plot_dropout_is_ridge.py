"""
Dropout of inputs is a ridge penalty
====================================

For a linear model with squared loss the expected loss under dropout is the loss plus (1 − keep)/keep · Σ w² mean(x²)/2:
an L2 penalty whose strength follows from `keep`. The mean over masks approaches the formula.
"""

import matplotlib.pyplot as plt
import torch

from shrinkwise.dropout import Dropout, dropout_penalty

torch.manual_seed(0)
x, w = torch.randn(200, 5, dtype=torch.double), torch.randn(1, 5, dtype=torch.double)
y = x @ w.T + 0.1 * torch.randn(200, 1, dtype=torch.double)
keeps, draws = torch.linspace(0.4, 0.95, 12).tolist(), 300

simulated, exact = [], []
for keep in keeps:
    layer = torch.nn.Linear(5, 1, bias=False).double()
    layer.weight.data = w.clone()
    model = torch.nn.Sequential(Dropout(keep=keep), layer)
    with torch.no_grad():
        noisy = torch.stack([((y - model(x)) ** 2).mean() / 2 for _ in range(draws)])
        simulated.append((noisy.mean() - ((y - layer(x)) ** 2).mean() / 2).item())
    exact.append(dropout_penalty(model, x, loss="squared").item())

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.plot(keeps, exact, label="(1 − keep)/keep · Σ w² mean(x²)/2")
axis.plot(keeps, simulated, "o", label=f"mean over {draws} masks")
axis.set(xlabel="keep", ylabel="loss with dropout − loss without")
axis.legend()
plt.show()
