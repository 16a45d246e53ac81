"""What a checkpoint of an optimizer says about its penalty, and whether it fits the one that is attached."""

from __future__ import annotations

from itertools import chain

from shrinkwise.penalties import fingerprint

PREFIX = "shrinkwise_"
METHOD, STEPS, GIVEN_THRESHOLD, LAM, SHAPE, CONTENT, PLACES = (
    PREFIX + key for key in ("method", "steps", "threshold", "lam_", "penalty_", "content_", "places_")
)


def record(stepper, optimizer) -> dict:
    """Method, steps and, for each rule, λ, the penalty with λ = 1 and the numbers of its parameters in the optimizer.

    Plain numbers and texts in a parameter group pass through every framework's checkpoint.
    """
    found = {METHOD: stepper.method, STEPS: stepper.steps}
    found.update({f"{LAM}{term.rule + 1}": term.map.lam for term in stepper.terms})
    for rule, penalty in _penalties(stepper).items():
        found[f"{SHAPE}{rule}"] = repr(penalty)
    found.update({f"{CONTENT}{rule}": content for rule, content in _contents(stepper).items()})
    found.update({f"{PLACES}{rule}": places for rule, places in _places(stepper, optimizer).items()})
    if stepper.options.threshold is not None:
        found[GIVEN_THRESHOLD] = stepper.options.threshold
    return found


def check_record(stepper, optimizer, saved: dict) -> None:
    """Raise an error if a checkpoint is of another method, other rules or another penalty."""
    if METHOD not in saved:
        return
    if saved[METHOD] != stepper.method:
        how = "call reg.refit()" if saved[METHOD] == "refit" else f"attach with method={saved[METHOD]!r}"
        raise ValueError(
            f"This checkpoint was saved with method {saved[METHOD]!r}, but the optimizer is attached with "
            f"{stepper.method!r}; {how} before loading it"
        )
    here, theirs = ({k for k in keys if k.startswith(LAM)} for keys in (record(stepper, optimizer), saved))
    if here != theirs:
        numbers = [sorted(int(key[len(LAM) :]) for key in keys) for keys in (theirs, here)]
        raise ValueError(
            f"This checkpoint was saved with the rules {numbers[0]}, but {numbers[1]} are attached; attach "
            "the same rules before loading it"
        )
    contents = _contents(stepper)
    for rule, penalty in _penalties(stepper).items():
        _check_penalty(rule, penalty, contents[rule], saved)
    for rule, places in _places(stepper, optimizer).items():
        if saved.get(f"{PLACES}{rule}", places) != places:
            raise ValueError(
                f"This checkpoint was saved with rule {rule} for other parameters of the optimizer than it applies to here; "
                "attach the same rules in the same order before loading it"
            )


def _check_penalty(rule: int, penalty, content: str, saved: dict) -> None:
    here, theirs = repr(penalty), saved.get(f"{SHAPE}{rule}")
    if theirs is not None and theirs != here:
        raise ValueError(
            f"This checkpoint was saved with {theirs} for rule {rule}, but {here} is attached "
            "(both shown with λ = 1); attach the same penalty before loading it"
        )
    if saved.get(f"{CONTENT}{rule}", content) != content:
        raise ValueError(
            f"This checkpoint was saved with other groups or other weights in {here} (shown with λ = 1) for rule {rule}; "
            "attach the same penalty before loading it"
        )


def _penalties(stepper) -> dict:
    """The penalty of each rule, with λ = 1."""
    return {term.rule + 1: term.map.whole_unit for term in stepper.terms}


def _contents(stepper) -> dict[int, str]:
    """For each rule the fingerprints of its penalty; it may have other factors in each tensor."""
    found: dict[int, set[str]] = {}
    for term in stepper.terms:
        found.setdefault(term.rule + 1, set()).add(fingerprint(term.map.whole_unit))
    return {rule: " ".join(sorted(marks)) for rule, marks in found.items()}


def _places(stepper, optimizer) -> dict[int, str]:
    """For each rule the numbers of its parameters in the optimizer, as a text."""
    params = chain.from_iterable(group["params"] for group in optimizer.param_groups)
    numbers = {id(p): number for number, p in enumerate(params)}
    found: dict[int, list[int]] = {}
    for term in stepper.terms:
        if id(term.param) in numbers:
            found.setdefault(term.rule + 1, []).append(numbers[id(term.param)])
    return {rule: " ".join(map(str, sorted(places))) for rule, places in found.items()}
