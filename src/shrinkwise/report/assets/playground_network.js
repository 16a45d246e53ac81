// A network with two inputs, m hidden ReLU units and one logistic output, trained by stochastic gradient descent on
//   mean log loss + l1 Σ|W| + l2 ΣW²   (biases are not penalized)
// with inverted dropout on the hidden units: kept outputs are divided by keep in training, and evaluation does nothing.

// Marsaglia's xorshift with 32 bits: the same numbers in every browser.
function randomNumbers(seed) {
  let state = (seed + 1) * 0x9E3779B1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
  for (let i = 0; i < 10; i++) uniform();
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

function twoMoons(count, seed) {
  const { normal } = randomNumbers(seed);
  return Array.from({ length: count }, (_, i) => {
    const angle = (Math.PI * (i >> 1)) / (count / 2 - 1), upper = i % 2 === 0;
    const x = upper ? Math.cos(angle) - 0.5 : 0.5 - Math.cos(angle), z = upper ? Math.sin(angle) - 0.25 : 0.25 - Math.sin(angle);
    return { x: [1.4 * x + 0.25 * normal(), 1.4 * z + 0.25 * normal()], y: Number(upper) };
  });
}

function newNetwork(units, seed) {
  const { normal } = randomNumbers(seed);
  const draw = (count, size) => Array.from({ length: count }, () => size * normal());
  return { W: Array.from({ length: units }, () => draw(2, 1)), b: draw(units, 0.5), v: draw(units, Math.sqrt(2 / units)), c: 0 };
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const hidden = (network, x) => network.W.map((row, i) => Math.max(row[0] * x[0] + row[1] * x[1] + network.b[i], 0));
const logit = (network, h) => network.v.reduce((a, weight, i) => a + weight * h[i], network.c);
const probability = (network, x) => sigmoid(logit(network, hidden(network, x)));

// One minibatch on one thinned network. The L1 term acts by soft thresholding after the step, so zeros are exact.
function trainStep(network, batch, mask, { rate, l1, l2, keep }) {
  const units = network.v.length, share = mask.map((kept) => (kept ? 1 / keep : 0));
  const W = network.W.map(() => [0, 0]), b = new Array(units).fill(0), v = new Array(units).fill(0);
  let c = 0;
  for (const { x, y } of batch) {
    const h = hidden(network, x).map((value, i) => value * share[i]);
    const error = (sigmoid(logit(network, h)) - y) / batch.length;
    c += error;
    for (let i = 0; i < units; i++) {
      v[i] += error * h[i];
      if (h[i] <= 0) continue;
      const back = error * network.v[i] * share[i];
      b[i] += back;
      W[i][0] += back * x[0];
      W[i][1] += back * x[1];
    }
  }
  const moved = (weight, slope) => softThreshold(weight - rate * (slope + 2 * l2 * weight), rate * l1);
  return {
    W: network.W.map((row, i) => row.map((weight, k) => moved(weight, W[i][k]))),
    b: network.b.map((bias, i) => bias - rate * b[i]),
    v: network.v.map((weight, i) => moved(weight, v[i])),
    c: network.c - rate * c,
  };
}

// All 2^m sub-networks at one point: their probabilities, the mean weighted by keep^kept (1 - keep)^dropped, the
// normalized geometric mean (the sigmoid of the mean logit), and weight scaling, which is one pass without dropout.
function allSubnetworks(network, x, keep) {
  const h = hidden(network, x), units = h.length, parts = h.map((value, i) => (value * network.v[i]) / keep);
  const outputs = [];
  let arithmetic = 0, meanLogit = 0;
  for (let set = 0; set < 2 ** units; set++) {
    let sum = network.c, weight = 1;
    for (let i = 0; i < units; i++) {
      const kept = (set >> i) & 1;
      weight *= kept ? keep : 1 - keep;
      if (kept) sum += parts[i];
    }
    outputs.push({ value: sigmoid(sum), weight });
    arithmetic += weight * sigmoid(sum);
    meanLogit += weight * sum;
  }
  return { outputs, arithmetic, geometric: sigmoid(meanLogit), scaled: sigmoid(logit(network, h)) };
}
