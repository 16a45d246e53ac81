"""One composed penalty means the same to every consumer: value, path, degrees of freedom, training, NetworkPath, certificate.

Each case is written twice: composed (`on`, `fixed`, sums, multiples), and with factors of λ per weight and no composition.
"""

from functools import partial

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear import path
from shrinkwise.networks import NetworkPath, Training
from shrinkwise.penalties import leaves, multiplied, rebuild, released, terms

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 6))
Y = X @ [2.0, -1.0, 0.0, 0.5, 0.0, 0.3] + RNG.normal(size=80)
W = np.array([0.7, -0.2, 0.0, 1.5, -0.4, 0.1])
FACTORS = np.r_[np.ones(3), np.zeros(3)]
VECTOR, MATRIX = slice(0, 3), (slice(None), slice(0, 3))  # the first three inputs, in w of shape (6,) and (1, 6)

# name -> (the composed penalty on a part, [(the same term with factors, whether it is fixed)])
COMPOSED = {
    "On of Fixed": (lambda part: sw.L1(0.3).fixed().on(part), [(sw.L1(0.3, weights=FACTORS), True)]),
    "Fixed of On": (lambda part: sw.L1(0.3).on(part).fixed(), [(sw.L1(0.3, weights=FACTORS), True)]),
    "On of Sum": (
        lambda part: (sw.L1(0.3) + sw.L2(0.2)).on(part),
        [(sw.L1(0.3, weights=FACTORS), False), (sw.L2(0.2, weights=FACTORS), False)],
    ),
    "On of a Sum with a fixed term": (
        lambda part: (sw.L1(0.3) + sw.L2(0.2).fixed()).on(part),
        [(sw.L1(0.3, weights=FACTORS), False), (sw.L2(0.2, weights=FACTORS), True)],
    ),
    "Sum of On": (
        lambda part: sw.L1(0.3) + sw.L2(0.2).on(part),
        [(sw.L1(0.3), False), (sw.L2(0.2, weights=FACTORS), False)],
    ),
    "Sum of Fixed of On": (
        lambda part: sw.L1(0.3) + sw.L2(0.2).on(part).fixed(),
        [(sw.L1(0.3), False), (sw.L2(0.2, weights=FACTORS), True)],
    ),
    "multiple of On of Sum": (
        lambda part: 2.0 * (sw.L1(0.15) + sw.L2(0.2).fixed()).on(part),
        [(sw.L1(0.15, weights=FACTORS), False), (sw.L2(0.2, weights=FACTORS), True)],
        2.0,
    ),
    "On of Scaled": (
        lambda part: (2.0 * sw.MCP(0.2, 8.0)).on(part),
        [(2.0 * sw.MCP(0.2, 8.0, weights=FACTORS), False)],
    ),
    "Scaled of On": (
        lambda part: 2.0 * sw.MCP(0.2, 8.0).on(part),
        [(2.0 * sw.MCP(0.2, 8.0, weights=FACTORS), False)],
    ),
    "Sum of Fixed of Scaled of On": (
        lambda part: sw.L2(0.2) + (2.0 * sw.MCP(0.2, 8.0)).on(part).fixed(),
        [(sw.L2(0.2), False), (2.0 * sw.MCP(0.2, 8.0, weights=FACTORS), True)],
    ),
}


def together(terms, multiplier=None):
    total = None
    for term, fixed in terms:
        term = term.fixed() if fixed else term
        total = term if total is None else total + term
    return total if multiplier is None else multiplier * total


# (composed penalty of a part, the same as one plain sum, of every leaf whether it is fixed)
CASES = pytest.mark.parametrize(
    ("composed", "plain", "fixed"),
    [(made, together(*rest), [fixed for _, fixed in rest[0]]) for made, *rest in COMPOSED.values()],
    ids=COMPOSED,
)


@CASES
def test_value_scaling_and_leaves_agree(composed, plain, fixed):
    composed = composed(VECTOR)
    value = pytest.approx(plain.value(W), rel=1e-14)
    assert composed.value(W) == value
    assert sum(term.value(W) for term in terms(composed)) == value
    assert released(composed).value(W) == value
    assert rebuild(composed, lambda leaf: leaf.penalty).value(W) == value
    for lam in (0.7, 2.0):
        assert composed.with_lam(lam).value(W) == pytest.approx(plain.with_lam(lam).value(W), rel=1e-14)
    assert [leaf.fixed for leaf in leaves(composed)] == fixed
    factors = np.linspace(0.5, 2.0, 6)
    assert multiplied(composed, factors).value(W) == pytest.approx(multiplied(plain, factors).value(W), rel=1e-14)


@CASES
@pytest.mark.filterwarnings("ignore:There is no formula for the degrees of freedom")
def test_paths_and_their_degrees_of_freedom_agree(composed, plain, fixed):
    mine = path(X, Y, composed(VECTOR), lambdas=[0.5, 0.1], tol=1e-12)
    theirs = path(X, Y, plain, lambdas=[0.5, 0.1], tol=1e-12)
    np.testing.assert_allclose(mine.coefs, theirs.coefs, atol=1e-9)
    np.testing.assert_allclose(mine.kkt, theirs.kkt, atol=1e-9)
    np.testing.assert_allclose(mine.gaps, theirs.gaps, atol=1e-9)
    np.testing.assert_allclose(mine.df, theirs.df, rtol=1e-7)


@pytest.mark.one_in(7)
@CASES
@pytest.mark.parametrize("method", ["normal_map", "metric", "gradient"])
def test_training_and_its_certificate_agree(composed, plain, fixed, method):
    composed = composed(MATRIX)
    if method == "gradient":  # for smooth penalties: L2 in the place of every leaf
        composed, plain = (rebuild(p, _smooth) for p in (composed, plain))
    elif method == "metric" and not composed.convex:
        pytest.skip("the metric method is for convex penalties")
    layer = torch.nn.Linear(6, 1, bias=False).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    reg = sw.attach(optimizer, layer, composed, method=method)
    data, target = torch.tensor(X), torch.tensor(Y)[:, None]
    for _ in range(600):
        optimizer.zero_grad()
        half_square(layer(data), target).backward()
        optimizer.step()
    w = layer.weight.detach().numpy()[0]
    violation = plain.violation(w, X.T @ (X @ w - Y) / len(Y))
    assert violation.max() < 1e-6
    assert reg.report().value == pytest.approx(plain.value(w), rel=1e-6)
    certificate = reg.certificate(half_square, [(data, target)])
    assert certificate.objective == pytest.approx(0.5 * ((X @ w - Y) ** 2).mean() + plain.value(w), rel=1e-9)
    assert certificate.rms < 1e-5


def _smooth(leaf):
    return sw.L2(leaf.penalty.lam, weights=getattr(leaf.penalty, "weights", None))


def half_square(output, y):
    return 0.5 * (output - y).square().mean()


@CASES
def test_network_paths_agree_or_refuse_what_is_fixed(composed, plain, fixed):
    training = Training(lambda p: torch.optim.SGD(p, lr=0.3), epochs=300, start_epochs=0, batch_size=1000)

    def fitted(penalty):
        make_model = partial(torch.nn.Linear, 6, 1, bias=False, dtype=torch.float64)
        return NetworkPath(make_model, penalty, half_square, lambdas=[1.0, 0.5], training=training).fit(X, Y[:, None])

    if any(fixed):  # every weight of a network's path has one λ, or one that is fixed
        for penalty in (composed(MATRIX), plain):
            with pytest.raises(ValueError, match="fixed"):
                fitted(penalty)
        return
    exact = path(X, Y, plain, lambdas=[1.0, 0.5], fit_intercept=False, tol=1e-10)
    np.testing.assert_allclose(fitted(composed(MATRIX)).objectives_, exact.objectives, rtol=1e-5)


@CASES
def test_lambda_cannot_move_in_training_where_a_part_is_fixed(composed, plain, fixed):
    if not any(fixed):
        pytest.skip("nothing is fixed")
    for penalty in (composed(MATRIX), plain):
        layer = torch.nn.Linear(6, 1)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
        with pytest.raises(ValueError, match="fixed"):
            sw.attach(optimizer, layer, penalty, schedule=lambda step: 1.0)
        with pytest.raises(ValueError, match="fixed"):
            sw.attach(optimizer, layer, penalty).set_lam(0.5)
