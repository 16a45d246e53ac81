"""The full network next to the sub-network that one draw of dropout keeps."""

import argparse

from torch import nn

from shrinkwise.dropout import Dropout, plot_thinned

NETWORK = nn.Sequential(
    *(Dropout(keep=0.8), nn.Linear(8, 12), nn.ReLU()),
    *(Dropout(keep=0.5), nn.Linear(12, 12), nn.ReLU()),
    *(Dropout(keep=0.5), nn.Linear(12, 3)),
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="dropout_thinned.png", help="the picture to write")
    parser.add_argument("--seed", type=int, default=0, help="which draw")
    args = parser.parse_args()
    from matplotlib.figure import Figure  # needs no screen

    figure = Figure(figsize=(10, 5), layout="constrained")
    plot_thinned(NETWORK, args.seed, axes=figure.subplots(1, 2))
    figure.savefig(args.out, dpi=150)
