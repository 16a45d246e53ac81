"""One weight regularized twice: a penalty in the loss or by `attach`, and weight decay."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.decay.rate import decayed
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .attached import degree, terms

_SOURCE = "https://github.com/rutgerswiselab/NCR/issues/2; https://github.com/RUCAIBox/RecBole/issues/872"


def detect(subject: Subject) -> Iterator[Finding]:
    """A warning for L2 with decay and for penalties both in the loss and by `attach`; a note for L1 with decay."""
    decays = {id(d.candidate.param): d for d in decayed(subject)}
    term = subject.passes.own_term if subject.passes else None
    attached = {id(t.param): degree(t) for t in terms(subject)}
    in_loss = {**(dict.fromkeys(term.l1, 1) if term else {}), **(dict.fromkeys(term.l2, 2) if term else {})}
    both = [key for key in attached if key in in_loss and key in subject.by_id]
    if both:
        yield _finding(
            subject, both, "a penalty in the loss and one by attach", "remove the term from the loss", "warning"
        )
    for where, found in (("in the loss", in_loss), ("by attach", attached)):
        squares = [key for key, d in found.items() if d == 2 and key in decays]
        norms = [key for key, d in found.items() if d == 1 and key in decays]
        if squares:
            sizes = f"weight_decay={decays[squares[0]].decay:g} and L2 {where}"
            if term and squares[0] in term.l2:
                sizes += f" (λΣw² with λ={term.l2[squares[0]]:.3g}, which is weight_decay={2 * term.l2[squares[0]]:.3g} of SGD)"
            yield _finding(subject, squares, sizes, "weight_decay=0 in the optimizer, or no L2 penalty", "warning")
        if norms:
            sizes = f"weight_decay={decays[norms[0]].decay:g} and a penalty {where}, together an elastic net"
            yield _finding(subject, norms, sizes, "weight_decay=0, or sw.ElasticNet if that is intended", "note")


def _finding(subject: Subject, keys: list[int], what: str, fix: str, severity: str) -> Finding:
    names = [subject.by_id[key].name for key in keys if key in subject.by_id]
    return Finding("regularized-twice", severity, listed(names), f"{len(names)} weights have {what}.", fix, _SOURCE)
