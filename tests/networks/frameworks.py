"""The same tiny run in each training framework, with a checkpoint an epoch; as a script it is killed half way.

``python frameworks.py NAME FOLDER`` trains and kills itself; ``RUNS[NAME](folder, resume=True)`` goes on from there.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import shrinkwise as sw

EPOCHS, BATCH, KILLED_AT = 8, 8, 45  # of 8 steps an epoch
PENALTY = sw.L1(0.02)


def data():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(64, 10, generator=generator)
    return x, x[:, :2].sum(1, keepdim=True) + 0.1 * torch.randn(64, 1, generator=generator)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 1))


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def die(step: int, kill: bool) -> None:
    if kill and step == KILLED_AT:
        os.kill(os.getpid(), signal.SIGKILL)


def weights(model) -> dict:
    return {name.removeprefix("net."): p.detach().clone() for name, p in model.named_parameters()}


def plain(folder: Path, resume=False, kill=False):
    """What all of them have to come to."""
    model, (x, y) = network(), data()
    optimizer = adam(model)
    reg = sw.attach(optimizer, model, PENALTY)
    for _ in range(EPOCHS):
        for batch, target in DataLoader(TensorDataset(x, y), BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(batch), target).backward()
            optimizer.step()
    return weights(model), reg


def in_lightning(folder: Path, resume=False, kill=False):
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint

    from shrinkwise.networks.lightning import PenaltyCallback

    class Module(LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network()

        def training_step(self, batch, index):
            die(self.global_step, kill)
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return adam(self)

    module, callback = Module(), PenaltyCallback(PENALTY)
    checkpoint = ModelCheckpoint(dirpath=folder, save_last=True)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=EPOCHS, callbacks=[callback, checkpoint], **quiet)
    trainer.fit(module, DataLoader(TensorDataset(*data()), BATCH), ckpt_path=folder / "last.ckpt" if resume else None)
    return weights(module), callback.regularization


class Rows(Dataset):
    """Rows as transformers takes them."""

    def __len__(self):
        return len(data()[0])

    def __getitem__(self, k):
        return {"x": data()[0][k], "labels": data()[1][k]}


class Scored(nn.Module):
    """A network that gives its loss."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x, labels):
        return {"loss": nn.functional.mse_loss(self.net(x), labels)}


def in_transformers(folder: Path, resume=False, kill=False):
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from shrinkwise.networks.transformers import PenaltyCallback

    class Killer(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            die(state.global_step, kill)

    class InOrder(Trainer):
        def _get_train_sampler(self, *args, **kwargs):
            return torch.utils.data.SequentialSampler(self.train_dataset)

    arguments = TrainingArguments(
        str(folder), num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH, save_strategy="epoch", report_to="none",
        use_cpu=True, disable_tqdm=True, max_grad_norm=0.0, logging_strategy="no", dataloader_pin_memory=False,
    )  # fmt: skip
    model, callback = Scored(), PenaltyCallback(PENALTY)
    optimizer = adam(model)
    constant = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    trainer = InOrder(
        model, arguments, train_dataset=Rows(), optimizers=(optimizer, constant), callbacks=[callback, Killer()]
    )
    trainer.train(resume_from_checkpoint=resume)
    return weights(model), callback.regularization


def in_skorch(folder: Path, resume=False, kill=False):
    from skorch import NeuralNetRegressor
    from skorch.callbacks import Callback, Checkpoint

    from shrinkwise.networks.skorch import PenaltyCallback

    class Killer(Callback):
        seen = 0

        def on_batch_begin(self, net, **kwargs):
            die(self.seen, kill)
            self.seen += 1

    checkpoint = Checkpoint(monitor=None, dirname=str(folder))
    net = NeuralNetRegressor(
        network, optimizer=torch.optim.Adam, lr=0.01, max_epochs=EPOCHS, batch_size=BATCH, train_split=None, verbose=0,
        callbacks=[("penalty", PenaltyCallback(PENALTY)), checkpoint, Killer()],
    )  # fmt: skip
    x, y = data()
    net.initialize()
    if resume:
        net.load_params(checkpoint=checkpoint)
    net.partial_fit(x.numpy(), y.numpy(), epochs=EPOCHS - len(net.history))
    return weights(net.module_), dict(net.callbacks_)["penalty"].regularization_


def in_accelerate(folder: Path, resume=False, kill=False):
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model, loader = network(), DataLoader(TensorDataset(*data()), BATCH)
    optimizer = adam(model)
    reg = sw.attach(optimizer, model, PENALTY)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    done = 0
    if resume:
        accelerator.load_state(str(folder))
        done = int((folder / "epochs").read_text())
    for epoch in range(done, EPOCHS):
        for k, (x, y) in enumerate(loader):
            die(8 * epoch + k, kill)
            optimizer.zero_grad()
            accelerator.backward(nn.functional.mse_loss(model(x), y))
            optimizer.step()
        accelerator.save_state(str(folder))
        (folder / "epochs").write_text(str(epoch + 1))
    return weights(accelerator.unwrap_model(model)), reg


RUNS = {
    "lightning": in_lightning,
    "transformers": in_transformers,
    "skorch": in_skorch,
    "accelerate": in_accelerate,
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the frameworks' own
    RUNS[sys.argv[1]](Path(sys.argv[2]), kill=True)
