"""
A smaller network with the same outputs
=======================================

Train a convolutional network whose channels can be removed, remove them, and keep the outputs.

Zero filters alone make a network neither smaller nor faster. A removable group holds everything that produces a
channel: the filter, its bias, and the scale and shift of its normalization. A penalty on these groups brings whole
channels to zero during training, and `reg.compact` removes them. The pictures are the 8 × 8 digits of scikit-learn.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import shrinkwise as sw

digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
y = torch.tensor(digits.target)
train, test = slice(0, 1300), slice(1300, None)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10),
)  # fmt: skip
epochs, batch = 12, 50
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
groups = sw.Groups.removable(model, x[:2])
reg = sw.attach(optimizer, model, sw.GroupMCP(1e-3, groups, gamma=150))

for _ in range(epochs):
    for rows in torch.randperm(1300).split(batch):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[train][rows]), y[train][rows]).backward()
        optimizer.step()
    schedule.step()


def accuracy(network):
    with torch.no_grad():
        return 100 * float((network.eval()(x[test]).argmax(1) == y[test]).float().mean())


print(reg.summary())
small, proof = reg.compact(x[:50])
print(proof)
print(f"test accuracy: {accuracy(model):.2f} % before, {accuracy(small):.2f} % after")
print(small)
