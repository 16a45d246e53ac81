"""Every Python solver of the benchmark behind one signature: solve(problem, tol) → weights (L, p) or (L, K·p), or a curve (L,).

Each library is called by its own path function where it has one and by warm-started fits where it has not; no intercept
(but for kind "cv"), one thread, iteration limits out of the way so that `tol`, in the library's own meaning, decides.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

import numpy as np
from benchmarks.linear.data import grid
from scipy import sparse


def folds_as_splits(problem):
    """scikit-learn's (train, test) pairs."""
    return [(np.flatnonzero(problem.folds != k), np.flatnonzero(problem.folds == k)) for k in range(problem.n_folds)]


def shrinkwise():
    """This library."""
    import shrinkwise as sw
    from shrinkwise.linear import PenalizedRegressorCV, RidgeCV, path

    def penalty(problem):
        if problem.kind.startswith("group"):
            return sw.GroupLasso(1.0, problem.groups)
        if problem.kind == "mcp":
            return sw.MCP(1.0, gamma=problem.gamma)
        l1 = sw.L1(1.0) if problem.l1_ratio == 1.0 else sw.ElasticNet(1.0, problem.l1_ratio)
        return l1 + sw.NonNegative() if problem.positive else l1

    def fit(problem, tol):
        loss = problem.loss
        y = problem.y.astype(int) if loss == "multinomial" else problem.y
        y = np.column_stack([y, np.ones(len(y))]) if loss == "cox" else y
        settings = {"loss": loss, "lambdas": problem.lambdas, "fit_intercept": False, "tol": tol}
        return path(problem.X, y, penalty(problem), **settings)

    def weights(problem, tol):
        found = fit(problem, tol)
        return found.coefs.reshape(len(problem.lambdas), -1) if problem.n_outputs > 1 else found.coefs_sparse

    def leave_one_out(problem, tol):
        model = RidgeCV(2 * len(problem.y) * problem.lambdas, fit_intercept=False, store_cv_results=True)
        return model.fit(problem.X, problem.y).cv_results_.mean(0)

    def cross_validated(problem, tol):
        cv = folds_as_splits(problem)
        model = PenalizedRegressorCV(penalty(problem), lambdas=problem.lambdas, cv=cv, tol=tol)
        return model.fit(problem.X, problem.y).cv_mean_

    kinds = ("l1", "logistic", "multinomial", "poisson", "gamma", "cox", "mcp")
    kinds = dict.fromkeys((*kinds, "group", "group-logistic", "group-multinomial"), weights)
    return kinds | {"ridge": leave_one_out, "cv": cross_validated}


def scikit_learn():
    """lasso_path and enet_path (Gram matrix where n > p), liblinear, saga, RidgeCV, LassoCV."""
    from sklearn.linear_model import LassoCV, LogisticRegression, RidgeCV, enet_path

    def l1(problem, tol):
        settings = {"alphas": problem.lambdas, "tol": tol, "max_iter": 1_000_000, "check_input": False}
        settings["positive"] = problem.positive
        gram = problem.X.shape[0] > problem.X.shape[1] and not sparse.issparse(problem.X)
        return enet_path(problem.X, problem.y, l1_ratio=problem.l1_ratio, precompute=gram, **settings)[1].T

    def logistic(problem, tol):
        found = []
        for lam in problem.lambdas:
            model = LogisticRegression(C=1.0 / (lam * len(problem.y)), l1_ratio=1.0, solver="liblinear", tol=tol)
            found.append(model.set_params(fit_intercept=False, max_iter=100_000).fit(problem.X, problem.y).coef_[0])
        return np.array(found)

    def multinomial(problem, tol):
        model = LogisticRegression(l1_ratio=1.0, solver="saga", tol=tol, fit_intercept=False, warm_start=True)
        X, found = np.ascontiguousarray(problem.X), []
        for lam in problem.lambdas:
            model.set_params(C=1.0 / (lam * len(problem.y)), max_iter=100_000)
            found.append(model.fit(X, problem.y).coef_.ravel().copy())
        return np.array(found)

    def ridge(problem, tol):
        model = RidgeCV(2 * len(problem.y) * problem.lambdas, fit_intercept=False, store_cv_results=True)
        return model.fit(problem.X, problem.y).cv_results_.mean(0)

    def cv(problem, tol):
        settings = {"tol": tol, "max_iter": 1_000_000, "precompute": True, "positive": problem.positive}
        model = LassoCV(alphas=problem.lambdas, cv=folds_as_splits(problem), **settings)
        return model.fit(problem.X, problem.y).mse_path_.mean(1)

    return {"l1": l1, "logistic": logistic, "multinomial": multinomial, "ridge": ridge, "cv": cv}


def celer():
    """celer_path; prox-Newton for the logistic loss."""
    from celer import celer_path

    def l1(problem, tol):
        settings = {"alphas": problem.lambdas, "tol": tol, "max_iter": 200, "max_epochs": 1_000_000}
        return celer_path(problem.X, problem.y, "lasso", l1_ratio=problem.l1_ratio, **settings)[1].T

    def logistic(problem, tol):
        settings = {"alphas": problem.lambdas * len(problem.y), "tol": tol, "max_iter": 200, "max_epochs": 1_000_000}
        return celer_path(problem.X, 2.0 * problem.y - 1.0, "logreg", use_PN=True, **settings)[1].T

    def group(problem, tol):
        n_groups = problem.X.shape[1] // problem.group_size
        factors = np.full(n_groups, np.sqrt(problem.group_size))
        settings = {"groups": problem.group_size, "weights": factors, "max_iter": 200, "max_epochs": 1_000_000}
        return celer_path(problem.X, problem.y, "grouplasso", alphas=problem.lambdas, tol=tol, **settings)[1].T

    return {"l1": l1, "logistic": logistic, "group": group}


def skglm():
    """Its solvers with warm starts: AndersonCD.path, ProxNewton, GroupBCD."""
    from skglm.datafits import Cox, Gamma, Logistic, LogisticGroup, Poisson, Quadratic, QuadraticGroup
    from skglm.penalties import L1, L1_plus_L2, MCPenalty, WeightedGroupL2
    from skglm.solvers import AndersonCD, GroupBCD, GroupProxNewton, ProxNewton
    from skglm.utils.jit_compilation import compiled_clone

    def coordinate(problem, tol):
        penalty = L1(1.0) if problem.l1_ratio == 1.0 else L1_plus_L2(1.0, problem.l1_ratio)
        if problem.kind == "mcp":
            penalty = MCPenalty(1.0, problem.gamma)
        solver = AndersonCD(max_iter=500, max_epochs=1_000_000, tol=tol, fit_intercept=False)
        return solver.path(problem.X, problem.y, Quadratic(), penalty, problem.lambdas)[1].T

    def warm(problem, y, solver, datafit, penalty):
        w, found = np.zeros(problem.X.shape[1]), []
        for lam in problem.lambdas:
            penalty.alpha = lam
            w = solver.solve(problem.X, y, datafit, penalty, w.copy(), problem.X @ w)[0]
            found.append(w)
        return np.array(found)

    def logistic(problem, tol):
        solver = ProxNewton(max_iter=500, max_pn_iter=10_000, tol=tol, fit_intercept=False)
        return warm(problem, 2.0 * problem.y - 1.0, solver, Logistic(), L1(1.0))

    def group(problem, tol):
        p, size = problem.X.shape[1], problem.group_size
        pointer, order = np.arange(0, p + 1, size, dtype=np.int32), np.arange(p, dtype=np.int32)
        penalty = WeightedGroupL2(1.0, np.full(p // size, np.sqrt(size)), pointer, order)
        if problem.loss == "logistic":
            solver = GroupProxNewton(max_iter=500, max_pn_iter=10_000, tol=tol, fit_intercept=False)
            return warm(problem, 2.0 * problem.y - 1.0, solver, LogisticGroup(pointer, order), penalty)
        solver = GroupBCD(max_iter=10_000, max_epochs=100_000, tol=tol, fit_intercept=False)
        datafit = QuadraticGroup(pointer, order)
        datafit.initialize(problem.X, problem.y)
        return warm(problem, problem.y, solver, datafit, penalty)

    def positive(problem, tol):
        solver = ProxNewton(max_iter=500, max_pn_iter=10_000, tol=tol, fit_intercept=False)
        return warm(problem, problem.y, solver, {"poisson": Poisson, "gamma": Gamma}[problem.kind](), L1(1.0))

    def cox(problem, tol):
        solver = ProxNewton(max_iter=500, max_pn_iter=10_000, tol=tol, fit_intercept=False)
        y, datafit = np.column_stack([problem.y, np.ones(len(problem.y))]), compiled_clone(Cox())
        datafit.initialize(problem.X, y)
        return warm(problem, y, solver, datafit, compiled_clone(L1(1.0)))

    kinds = {"l1": coordinate, "mcp": coordinate, "logistic": logistic, "group": group, "group-logistic": group}
    return kinds | {"poisson": positive, "gamma": positive, "cox": cox}


def adelie():
    """Grpnet, and gaussian_cov on X'X (made inside the time) where n > p; early_exit off."""
    import adelie as ad

    def settings(problem, tol):
        common = {"lmda_path": problem.lambdas, "alpha": problem.l1_ratio, "tol": tol, "early_exit": False}
        if problem.kind.startswith("group"):
            common["groups"] = np.arange(0, problem.X.shape[1], problem.group_size)
        return common | {"progress_bar": False, "n_threads": 1, "max_iters": 10_000_000}

    def squared(problem, tol):
        X, y, n = problem.X, problem.y, len(problem.y)
        if sparse.issparse(X):
            X = ad.matrix.sparse(X, method="naive", n_threads=1)
        elif n > problem.X.shape[1]:
            A = X.T @ X
            A /= n
            return ad.gaussian_cov(np.asfortranarray(A), X.T @ y / n, **settings(problem, tol), rdev_tol=0.0).betas
        return ad.grpnet(X, ad.glm.gaussian(y), intercept=False, **settings(problem, tol)).betas

    def likelihood(problem, tol):
        options = settings(problem, tol) | {"irls_tol": tol, "intercept": False}
        y, none = problem.y, np.zeros(len(problem.y))
        made = {
            "logistic": lambda: ad.glm.binomial(y),
            "group-logistic": lambda: ad.glm.binomial(y),
            "poisson": lambda: ad.glm.poisson(y),
            "cox": lambda: ad.glm.cox(start=none, stop=y, status=none + 1.0, tie_method="breslow"),
        }
        return ad.grpnet(problem.X, made[problem.kind](), **options).betas

    def shared(problem, tol):
        K = problem.n_classes
        options = settings(problem, tol) | {"irls_tol": tol, "intercept": False}
        options["lmda_path"] = problem.lambdas / K  # its loss is a K-th
        labels = np.asfortranarray(problem.y[:, None] == np.arange(K), dtype=float)
        betas = ad.grpnet(problem.X, ad.glm.multinomial(labels), **options).betas.toarray()
        return betas.reshape(len(betas), -1, K).swapaxes(1, 2)  # column by column

    def cv(problem, tol):
        options = {"min_ratio": problem.lambdas[-1] / problem.lambdas[0], "lmda_path_size": len(problem.lambdas)}
        options |= {"n_folds": problem.n_folds, "seed": 0, "n_threads": 1, "progress_bar": False, "tol": tol}
        glm = ad.glm.gaussian(problem.y)
        found = ad.cv_grpnet(problem.X, glm, **options)
        ad.grpnet(problem.X, glm, lmda_path=found.lmdas, early_exit=False, progress_bar=False, n_threads=1, tol=tol)
        return 2 * found.avg_losses + (problem.y**2).mean()  # its loss is ½η² − yη; its folds are its own

    kinds = dict.fromkeys(("logistic", "group-logistic", "poisson", "cox"), likelihood)
    return kinds | {"l1": squared, "group": squared, "group-multinomial": shared, "cv": cv}


def glum():
    """GeneralizedLinearRegressor with alpha_search, which warm-starts along the λ it is given."""
    from glum import GeneralizedLinearRegressor

    def positive(problem, tol):
        model = GeneralizedLinearRegressor(l1_ratio=1.0, fit_intercept=False, family=problem.kind, link="log")
        model.set_params(gradient_tol=tol, alpha_search=True, alpha=problem.lambdas.tolist(), max_iter=10_000)
        return np.array(model.fit(problem.X, problem.y).coef_path_)

    return {"poisson": positive, "gamma": positive}


def gram():
    """X'X alone, the yardstick of the first row."""
    return {"l1": lambda problem, tol: problem.X.T @ problem.X}


def lasso():
    """This library with L1 and the row's own loss, beside which its group lasso is timed."""
    weights = shrinkwise()["l1"]

    def alone(problem, tol):
        plain = replace(problem, kind=problem.loss, group_size=1)
        lambdas = grid(plain, len(problem.lambdas), problem.lambdas[-1] / problem.lambdas[0])
        return weights(replace(plain, lambdas=lambdas), tol)

    return dict.fromkeys(("group-logistic", "group-multinomial"), alone)


def without_penalty():
    """scikit-learn's logistic regression without a penalty, at its own tolerance, once."""
    from sklearn.linear_model import LogisticRegression

    def multinomial(problem, tol):
        return LogisticRegression(C=np.inf, max_iter=10_000, fit_intercept=False).fit(problem.X, problem.y)

    return {"multinomial": multinomial}


SOLVERS = {
    "shrinkwise": shrinkwise,
    "scikit-learn": scikit_learn,
    "celer": celer,
    "skglm": skglm,
    "adelie": adelie,
    "glum": glum,
    "X'X": gram,
    "L1": lasso,
    "lbfgs": without_penalty,
}


def version(name: str) -> str:
    """Version of the library a solver comes from."""
    others = {"X'X": "numpy", "L1": "shrinkwise", "lbfgs": "scikit-learn"}
    return metadata.version(others.get(name, name))
