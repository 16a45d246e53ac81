/* Losses f(y, eta) of one linear predictor: f and f', f'', the conjugate, and the nearest point where that is finite. Each is a
 * formula that a compiler turns into vectors; EVERY_ROW(n) { ... } runs it over the rows t. */
#ifndef SHRINKWISE_ROW_LOSSES_H
#define SHRINKWISE_ROW_LOSSES_H

#include <math.h>
#include <stdint.h>

#include "../common.h"
#include "../log_of.h"

enum { BLOCK = 128 };
#include "../double_precision.h"
#include "../softmax_rows.h"

enum { LOGISTIC = 0, POISSON = 1, GAMMA = 2 };

/* e^x, by its value at the end of the range where it would leave it: a trial step this far out is rejected by its value. */
SW_INLINE double exp_within(double x)
{
    const double below = x > 690.0 ? 690.0 : x;
    return exp_of_double(below < -708.0 ? -708.0 : below);
}

SW_INLINE double entropy(double q) { return q * log_of(q > 1e-300 ? q : 1e-300); } /* q log q, 0 at 0 */
SW_INLINE double clip(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

#define EVERY_ROW(n) SW_IVDEP for (int64_t t = 0; t < (n); t++)

/* value = f, slope = f'. */
SW_INLINE void values_and_slopes(int64_t loss, int64_t n, const double *y, const double *eta, double *value, double *slope)
{
    if (loss == LOGISTIC) { /* log(1 + e^eta) - y eta */
        EVERY_ROW(n) {
            const double at = eta[t], e = exp_within(-fabs(at)), u = 1.0 + e, above = 1.0 / u;
            const double lost = (u - 1.0) - e; /* of a small e, to log u */
            value[t] = (at > 0.0 ? at : 0.0) - y[t] * at + (log_of(u) - lost * above);
            slope[t] = (at >= 0.0 ? above : e * above) - y[t];
        }
    } else if (loss == POISSON) { /* e^eta - y eta */
        EVERY_ROW(n) {
            const double mean = exp_within(eta[t]);
            value[t] = mean - y[t] * eta[t];
            slope[t] = mean - y[t];
        }
    } else { /* y e^-eta + eta */
        EVERY_ROW(n) {
            const double ratio = y[t] * exp_within(-eta[t]);
            value[t] = ratio + eta[t];
            slope[t] = 1.0 - ratio;
        }
    }
}

/* f'' from f' = slope. */
SW_INLINE double curvature_of(int64_t loss, double y, double slope)
{
    const double q = y + slope;
    return loss == LOGISTIC ? q * (1.0 - q) : loss == POISSON ? q : 1.0 - slope;
}

/* out = f*(alpha v). */
SW_INLINE void conjugates(int64_t loss, int64_t n, const double *y, double alpha, const double *v, double *out)
{
    if (loss == LOGISTIC) {
        EVERY_ROW(n) {
            const double q = clip(y[t] + alpha * v[t], 0.0, 1.0);
            out[t] = entropy(q) + entropy(1.0 - q);
        }
    } else if (loss == POISSON) {
        EVERY_ROW(n) {
            const double moved = y[t] + alpha * v[t], q = moved > 0.0 ? moved : 0.0;
            out[t] = entropy(q) - q;
        }
    } else {
        EVERY_ROW(n) {
            const double moved = 1.0 - alpha * v[t], q = moved > 0.0 ? moved : 0.0;
            out[t] = entropy(q) - q * log_of(y[t]) - q;
        }
    }
}

/* v moved to where the conjugate is finite. */
SW_INLINE double dual_feasible(int64_t loss, double y, double v)
{
    return loss == LOGISTIC ? clip(y + v, 0.0, 1.0) - y : loss == POISSON ? (v > -y ? v : -y) : (v < 1.0 ? v : 1.0);
}

#endif
