// Lasso, ridge and elastic net on centred columns of standard deviation 1, by coordinate descent on their Gram matrix:
//   minimize 1/(2n) ||y - Zw||² + l1 Σ|w| + l2/2 Σw²
// and the duality gap P - D, for the dual point (y - Zw)/n (scaled into [-l1, l1] where l2 = 0), relative to the loss
// of the null model.

const softThreshold = (x, t) => x - Math.max(-t, Math.min(t, x));

function standardized(columns, y) {
  const n = y.length;
  const mean = (v) => v.reduce((a, b) => a + b, 0) / n;
  const means = columns.map(mean), yMean = mean(y);
  const centred = columns.map((v, j) => Float64Array.from(v, (x) => x - means[j]));
  const scales = centred.map((v) => Math.sqrt(v.reduce((a, b) => a + b * b, 0) / n));
  centred.forEach((v, j) => v.forEach((x, i) => { v[i] = x / scales[j]; }));
  const residual = Float64Array.from(y, (x) => x - yMean);
  const dot = (a, b) => { let s = 0; for (let i = 0; i < n; i++) s += a[i] * b[i]; return s / n; };
  const gram = centred.map(() => new Float64Array(centred.length));
  centred.forEach((a, j) => { for (let k = 0; k <= j; k++) gram[j][k] = gram[k][j] = dot(a, centred[k]); });
  return { n, p: columns.length, means, scales, yMean, gram, moment: centred.map((v) => dot(v, residual)), square: dot(residual, residual) };
}

function strengths(kind, lambda, ratio) {
  if (kind === "ridge") return [0, 2 * lambda];
  return kind === "lasso" ? [lambda, 0] : [lambda * ratio, lambda * (1 - ratio)];
}

// The largest λ of the slider: for L1 the smallest at which every coefficient is zero; for ridge, which has none, the λ
// that shrinks the strongest direction to 1 %.
function largestLambda(problem, kind, ratio) {
  if (kind !== "ridge") return Math.max(...problem.moment.map(Math.abs)) / (kind === "lasso" ? 1 : ratio);
  let v = problem.gram.map((row) => row.reduce((a, b) => a + b, 1e-3)), size = 0;
  for (let i = 0; i < 100; i++) {
    size = Math.hypot(...v);
    v = problem.gram.map((row) => row.reduce((a, b, j) => a + b * v[j], 0) / size);
  }
  return 49.5 * Math.hypot(...v);
}

function lambdaGrid(problem, kind, ratio, count) {
  const top = largestLambda(problem, kind, ratio);
  const reach = kind === "ridge" ? 1e-6 : problem.n > problem.p ? 1e-3 : 1e-2;
  return Array.from({ length: count }, (_, i) => top * reach ** (i / (count - 1)));
}

// q = Zᵀ(y - Zw)/n
function correlation(problem, w) {
  const q = Float64Array.from(problem.moment);
  w.forEach((x, j) => { if (x) problem.gram[j].forEach((g, k) => { q[k] -= x * g; }); });
  return q;
}

function relativeGap(problem, l1, l2, w, q) {
  let fitted = 0, penalty = 0, explained = 0, largest = 0;
  w.forEach((x, j) => {
    explained += x * problem.moment[j];
    fitted += x * q[j];
    penalty += l1 * Math.abs(x) + (l2 / 2) * x * x;
    largest = Math.max(largest, Math.abs(q[j]));
  });
  const residual = Math.max(problem.square - explained - fitted, 0);
  const scale = l2 === 0 && largest > l1 ? l1 / largest : 1;
  let dual = scale * (problem.square - explained) - (scale * scale / 2) * residual;
  if (l2 > 0) q.forEach((u) => { dual -= Math.max(Math.abs(u) - l1, 0) ** 2 / (2 * l2); });
  return Math.max(residual / 2 + penalty - dual, 0) / (problem.square / 2);
}

// The solution of A x = b for a symmetric positive definite A; null where A is singular to rounding.
function choleskySolve(A, b) {
  const n = b.length, L = A.map((row) => Float64Array.from(row)), x = Float64Array.from(b);
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) for (let i = j; i < n; i++) L[i][j] -= L[i][k] * L[j][k];
    if (!(L[j][j] > 1e-12 * A[j][j])) return null;
    const root = Math.sqrt(L[j][j]);
    for (let i = j; i < n; i++) L[i][j] /= root;
  }
  for (let i = 0; i < n; i++) { for (let k = 0; k < i; k++) x[i] -= L[i][k] * x[k]; x[i] /= L[i][i]; }
  for (let i = n - 1; i >= 0; i--) { for (let k = i + 1; k < n; k++) x[i] -= L[k][i] * x[k]; x[i] /= L[i][i]; }
  return x;
}

// With the support and the signs known, the optimality conditions are a linear system. Its solution, or null where the
// signs do not agree with it or a coefficient outside the support would have to move.
function solvedOnSupport(problem, l1, l2, w) {
  const support = [...w.keys()].filter((j) => w[j] !== 0);
  const A = support.map((j) => support.map((k) => problem.gram[j][k] + (j === k ? l2 : 0)));
  const x = choleskySolve(A, support.map((j) => problem.moment[j] - l1 * Math.sign(w[j])));
  if (!x) return null;
  const exact = new Float64Array(problem.p);
  support.forEach((j, i) => { exact[j] = x[i]; });
  if (l1 > 0 && support.some((j) => Math.sign(exact[j]) !== Math.sign(w[j]))) return null;
  const q = correlation(problem, exact);
  const slack = 1e-12 * Math.sqrt(problem.square);
  return q.some((u, j) => exact[j] === 0 && Math.abs(u) > l1 + slack) ? null : exact;
}

function sweep(problem, l1, l2, w, q) {
  for (let j = 0; j < problem.p; j++) {
    const row = problem.gram[j];
    const next = softThreshold(q[j] + row[j] * w[j], l1) / (row[j] + l2), change = next - w[j];
    if (change === 0) continue;
    w[j] = next;
    for (let k = 0; k < problem.p; k++) q[k] -= change * row[k];
  }
}

function solve(problem, kind, lambda, ratio, start) {
  const [l1, l2] = strengths(kind, lambda, ratio), w = Float64Array.from(start);
  const q = correlation(problem, w);
  let sweeps = 0;
  for (const tolerance of [1e-6, 1e-8, 1e-10, 1e-12, 1e-14]) {
    while (relativeGap(problem, l1, l2, w, q) > tolerance && sweeps < 5000) { sweep(problem, l1, l2, w, q); sweeps++; }
    const exact = solvedOnSupport(problem, l1, l2, w);
    if (exact) return { w: exact, sweeps, gap: relativeGap(problem, l1, l2, exact, correlation(problem, exact)) };
  }
  return { w, sweeps, gap: relativeGap(problem, l1, l2, w, correlation(problem, w)) };
}

function solutionPath(problem, kind, ratio, count) {
  let w = new Float64Array(problem.p);
  return lambdaGrid(problem, kind, ratio, count).map((lambda) => {
    const found = solve(problem, kind, lambda, ratio, w);
    w = found.w;
    const coef = Array.from(w, (x, j) => x / problem.scales[j]);
    const q = correlation(problem, w);
    const explained = w.reduce((a, x, k) => a + x * (problem.moment[k] + q[k]), 0);
    const intercept = problem.yMean - coef.reduce((a, x, k) => a + x * problem.means[k], 0);
    return { lambda, ...found, coef, intercept, r2: explained / problem.square };
  });
}
