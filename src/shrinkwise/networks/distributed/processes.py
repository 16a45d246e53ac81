"""Sums over processes: many small requests combined into one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar

import torch
from torch import distributed


class _Asks(BaseException):
    """A task of `in_rounds` needs this sum before it can go on. No error: nothing between may catch it."""

    def __init__(self, vector: torch.Tensor, groups: Sequence):
        self.vector, self.groups = vector, groups


class _Task:
    """A function and the sums it was given so far."""

    def __init__(self, function: Callable):
        self.function = function
        self.answers: list[torch.Tensor] = []

    def run(self):
        self.given = iter(self.answers)
        token = _task.set(self)
        try:
            return self.function()
        finally:
            _task.reset(token)


_task: ContextVar[_Task | None] = ContextVar("shrinkwise_task", default=None)


def summed(vector: torch.Tensor, groups: Sequence) -> torch.Tensor:
    """Σ of `vector` over the processes of one or more process groups; of no group, the vector itself."""
    if not groups:
        return vector
    task = _task.get()
    if task is None:
        return _all_reduce([(vector, groups)])[0]
    try:
        return next(task.given)
    except StopIteration:
        raise _Asks(vector, groups) from None


def in_rounds(functions: Sequence[Callable]) -> list:
    """The results of functions without arguments, whose sums over processes travel together.

    A function runs until it asks for a sum. When all have asked or ended, one all_reduce brings all the sums, and those
    that asked run again with their answers. So they ask the same each time and in every process, and change nothing before
    their last question.
    """
    tasks, results = [_Task(function) for function in functions], [None] * len(functions)
    waiting = list(range(len(tasks)))
    while waiting:
        asked = {}
        for k in waiting:
            try:
                results[k] = tasks[k].run()
            except _Asks as question:
                asked[k] = (question.vector, question.groups)
        if asked:
            for k, answer in zip(asked, _all_reduce(list(asked.values())), strict=True):
                tasks[k].answers.append(answer)
        waiting = list(asked)
    return results


@torch.no_grad()
def _all_reduce(asked: list[tuple[torch.Tensor, Sequence]]) -> list[torch.Tensor]:
    """Each vector summed over its process groups; those with the same groups in one message."""
    together: dict[tuple, list[int]] = {}
    for k, (vector, groups) in enumerate(asked):
        together.setdefault((vector.device, *map(id, groups)), []).append(k)
    answers: list[torch.Tensor] = [vector for vector, _ in asked]
    for some in together.values():
        flat = torch.cat([asked[k][0].detach().double().reshape(-1) for k in some])
        for group in asked[some[0]][1]:
            distributed.all_reduce(flat, group=group)
        for k, part in zip(some, flat.split([asked[k][0].numel() for k in some]), strict=True):
            answers[k] = part.reshape(asked[k][0].shape).to(asked[k][0].dtype)
    return answers
