"""Sums over processes: many small requests combined into one message."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Member:
    """One of several tensors of a process whose vectors are summed too: number `index` of the `count` tensors of `stack`."""

    stack: Hashable
    index: int
    count: int


class _Asks(BaseException):
    """A task of `in_rounds` needs this sum before it can go on. No error: nothing between may catch it."""

    def __init__(self, question: tuple):
        self.question = question


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
    """Σ of a vector over the processes of one or more process groups; of no group, the vector itself."""
    return sum_of(lambda: vector, groups)


def sum_of(vector: Callable[[], torch.Tensor], groups: Sequence, member: Member | None = None) -> torch.Tensor:
    """`summed` of a vector that is computed once, although a function of `in_rounds` runs again with the answer.

    With `member`, over all tensors of its stack as well: each of them has to ask in the same call of `in_rounds`.
    """
    if not groups and member is None:
        return vector()
    task = _task.get()
    if task is None:
        return _answers([(vector(), groups, member)])[0]
    try:
        return next(task.given)
    except StopIteration:
        raise _Asks((vector(), groups, member)) from None


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
                asked[k] = question.question
        if asked:
            for k, answer in zip(asked, _answers(list(asked.values())), strict=True):
                tasks[k].answers.append(answer)
        waiting = list(asked)
    return results


def _answers(asked: list[tuple]) -> list[torch.Tensor]:
    """The answers to (vector, process groups, member), each of those without a member on its own."""
    stacks: dict[tuple, dict[int, int]] = {}  # {(stack, how often its members have asked): {member: question}}
    times: dict[Member, int] = {}
    for k, (_, _, member) in enumerate(asked):
        if member is not None:
            times[member] = times.get(member, 0) + 1
            stacks.setdefault((member.stack, member.count, times[member]), {})[member.index] = k
    for (_, count, _), questions in stacks.items():
        if len(questions) != count:
            raise RuntimeError(f"{len(questions)} of the {count} tensors that groups span asked for a sum; all have to")
    # Of a stack one vector for those of its tensors that the same processes share.
    sums: dict[tuple, list[int]] = {}
    for stack, questions in stacks.items():
        for k in questions.values():
            sums.setdefault((stack, *map(id, asked[k][1])), []).append(k)
    alone = [k for k, (*_, member) in enumerate(asked) if member is None]
    together = [(_sum([asked[k][0] for k in some]), asked[some[0]][1]) for some in sums.values()]
    reduced = _all_reduce([asked[k][:2] for k in alone] + together)
    answers = dict(zip(alone, reduced, strict=False))
    for (stack, *_), total in zip(sums, reduced[len(alone) :], strict=True):
        for k in stacks[stack].values():
            here = total.to(asked[k][0].device)
            answers[k] = answers[k] + here if k in answers else here
    return [answers[k] for k in range(len(asked))]


def _sum(vectors: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack([vector.detach().to(vectors[0].device) for vector in vectors]).sum(0)


@torch.no_grad()
def _all_reduce(asked: list[tuple[torch.Tensor, Sequence]]) -> list[torch.Tensor]:
    """Each vector summed over its process groups; those with the same groups in one message."""
    together: dict[tuple, list[int]] = {}
    for k, (vector, groups) in enumerate(asked):
        if groups:
            together.setdefault((vector.device, *map(id, groups)), []).append(k)
    answers: list[torch.Tensor] = [vector for vector, _ in asked]
    for some in together.values():
        flat = torch.cat([asked[k][0].detach().double().reshape(-1) for k in some])
        for group in asked[some[0]][1]:
            distributed.all_reduce(flat, group=group)
        for k, part in zip(some, flat.split([asked[k][0].numel() for k in some]), strict=True):
            answers[k] = part.reshape(asked[k][0].shape).to(asked[k][0].dtype)
    return answers
