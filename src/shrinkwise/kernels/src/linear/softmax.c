/* The loss of many classes: softmax, its curvature and its conjugate, for arrays class by class, (K, n).
 *
 * NumPy takes a pass through the memory for every operation, and its exponentials and logarithms of double precision are slow
 * where the machine has no AVX-512. Here a block of rows passes through all classes at once, and exp and log are polynomials
 * that the compiler turns into vectors. Their error is about one unit in the last place. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "../common.h"
#include "../log_of.h"

enum { BLOCK = 128 }; /* rows: those of 100 classes in double precision are 100 KB */

#include "../double_precision.h"
#include "../softmax_rows.h"

#define REAL float
#define BITS int32_t
#define UNSIGNED uint32_t
#define NAME(function) function##_single
#define LEAST (-87.0f)
#define MAGIC 12582912.0f /* 1.5 * 2^23 */
#define LOG2_HIGH 0.693359375f
#define LOG2_LOW (-2.12194440e-4f)
#define MANTISSA 23
#define ONE ((int32_t)127 << 23)
#define TAYLOR(r)                                                                                                          \
    (1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040))))))))
#include "../softmax_rows.h"

/* eta, g: (K, n). y: (n), or NULL for probabilities alone. value: (n). */
SW_EXPORT SW_CLONES void sw_softmax(int64_t K, int64_t n, int64_t single, const void *eta, const int64_t *y, double *value,
                                    void *g)
{
    if (single)
        softmax_single(K, n, (const float *)eta, y, value, (float *)g);
    else
        softmax_double(K, n, (const double *)eta, y, value, (double *)g);
}

/* x (K, n) <- the curvature of every row times x, in place. p: (K, n). weights: (n). */
SW_EXPORT SW_CLONES void sw_softmax_curvature(int64_t K, int64_t n, int64_t single, const void *p, const void *weights, void *x)
{
    if (single)
        curvature_times_single(K, n, (const float *)p, (const float *)weights, (float *)x);
    else
        curvature_times_double(K, n, (const double *)p, (const double *)weights, (double *)x);
}

/* v (K, n): onehot(y) + v is clipped at 0 and divided by its sum, in place; a row of which nothing is left becomes onehot(y). */
SW_EXPORT SW_CLONES void sw_to_simplex(int64_t K, int64_t n, const int64_t *y, double *v)
{
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t rows = n - start < BLOCK ? n - start : BLOCK;
        double total[BLOCK];
        for (int64_t t = 0; t < rows; t++) {
            v[y[start + t] * n + start + t] += 1.0;
            total[t] = 0.0;
        }
        for (int64_t k = 0; k < K; k++) {
            double *q = v + k * n + start;
            SW_IVDEP
            for (int64_t t = 0; t < rows; t++) {
                q[t] = q[t] < 0.0 ? 0.0 : q[t];
                total[t] += q[t];
            }
        }
        for (int64_t t = 0; t < rows; t++) {
            if (total[t] == 0.0)
                v[y[start + t] * n + start + t] = total[t] = 1.0;
            total[t] = 1.0 / total[t];
        }
        for (int64_t k = 0; k < K; k++) {
            double *q = v + k * n + start;
            SW_IVDEP
            for (int64_t t = 0; t < rows; t++)
                q[t] *= total[t];
        }
        for (int64_t t = 0; t < rows; t++)
            v[y[start + t] * n + start + t] -= 1.0;
    }
}

/* out (n) = sum_k q_k log q_k with q = onehot(y) + alpha v, v (K, n). */
SW_EXPORT SW_CLONES void sw_softmax_conjugate(int64_t K, int64_t n, const int64_t *y, double alpha, const double *v, double *out)
{
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t rows = n - start < BLOCK ? n - start : BLOCK;
        double total[BLOCK], q[BLOCK];
        for (int64_t t = 0; t < rows; t++)
            total[t] = 0.0;
        for (int64_t k = 0; k < K; k++) {
            const double *from = v + k * n + start;
            for (int64_t t = 0; t < rows; t++) { /* 0 log 0 = 0, and 1e-300 in its place makes no other term */
                const double here = alpha * from[t];
                q[t] = here > 1e-300 ? here : 1e-300;
            }
            SW_IVDEP
            for (int64_t t = 0; t < rows; t++)
                total[t] += q[t] * log_of(q[t]);
        }
        /* v <= 0 in the own class, which has added nothing */
        for (int64_t t = 0; t < rows; t++) {
            const double own = 1.0 + alpha * v[y[start + t] * n + start + t];
            out[start + t] = total[t] + (own > 1e-300 ? own * log(own) : 0.0);
        }
    }
}
