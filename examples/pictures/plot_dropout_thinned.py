"""
Dropout: a thinned network
==========================

In training, dropout keeps each unit with probability `keep`. Each minibatch trains the sub-network of the kept units;
here the full network and the one of seed 0.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from shrinkwise.dropout import Dropout, count_subnetworks, plot_thinned

network = nn.Sequential(
    *(Dropout(keep=0.8), nn.Linear(8, 12), nn.ReLU()),
    *(Dropout(keep=0.5), nn.Linear(12, 12), nn.ReLU()),
    *(Dropout(keep=0.5), nn.Linear(12, 3)),
)
print(f"{count_subnetworks(network, torch.zeros(1, 8)):,} sub-networks share these weights")
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
plot_thinned(network, 0, axes=axes)
plt.show()
