/* Softmax and products with its curvature for arrays class by class, (K, n), in the precision REAL; included once for each.
 * A block of rows passes through all classes while its sums stay in the cache; every loop runs along the rows.
 * NAME(x) is the name of a function for this precision. */

/* e^x for LEAST <= x <= 0, LEAST near the end of the range of normal numbers: 2^k e^r with |r| <= log(2)/2 and the Taylor polynomial of e^r, whose
 * remainder is below the rounding. Adding MAGIC rounds to an integer, which then stands in the last bits. */
SW_INLINE REAL NAME(exp_of)(REAL at)
{
    union {
        REAL real;
        BITS bits;
    } whole, scale;
    whole.real = at * (REAL)1.44269504088896340736 + MAGIC;
    const REAL k = whole.real - MAGIC, r = (at - k * LOG2_HIGH) - k * LOG2_LOW;
    scale.bits = (BITS)(((UNSIGNED)whole.bits << MANTISSA) + (UNSIGNED)ONE); /* unsigned: of a NaN it may overflow */
    return TAYLOR(r) * scale.real;
}

/* g (K, n) = softmax(eta) - onehot(y), value (n) = log sum exp(eta) - eta_y; y NULL: g is softmax(eta), value is not set. */
SW_INLINE void NAME(softmax)(int64_t K, int64_t n, const REAL *eta, const int64_t *y, double *value, REAL *g)
{
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t rows = n - start < BLOCK ? n - start : BLOCK;
        REAL top[BLOCK], total[BLOCK];
        for (int64_t t = 0; t < rows; t++)
            top[t] = eta[start + t], total[t] = 0;
        for (int64_t k = 1; k < K; k++) {
            const REAL *x = eta + k * n + start;
            for (int64_t t = 0; t < rows; t++)
                top[t] = x[t] > top[t] ? x[t] : top[t];
        }
        for (int64_t k = 0; k < K; k++) {
            const REAL *x = eta + k * n + start;
            REAL *e = g + k * n + start;
            for (int64_t t = 0; t < rows; t++) { /* a loop of its own: in one with the next, compilers make a branch of it */
                const REAL below = x[t] - top[t];
                e[t] = below < LEAST ? LEAST : below;
            }
            SW_IVDEP
            for (int64_t t = 0; t < rows; t++) {
                const REAL here = NAME(exp_of)(e[t]);
                e[t] = here;
                total[t] += here;
            }
        }
        if (y)
            for (int64_t t = 0; t < rows; t++)
                value[start + t] = log((double)total[t]) + (double)(top[t] - eta[y[start + t] * n + start + t]);
        for (int64_t t = 0; t < rows; t++)
            total[t] = (REAL)1.0 / total[t];
        for (int64_t k = 0; k < K; k++) {
            REAL *e = g + k * n + start;
            SW_IVDEP
            for (int64_t t = 0; t < rows; t++)
                e[t] *= total[t];
        }
        if (y)
            for (int64_t t = 0; t < rows; t++)
                g[y[start + t] * n + start + t] -= (REAL)1.0;
    }
}

/* x (K, n): x_k <- weight p_k (x_k - sum_j p_j x_j) for every row. */
SW_INLINE void NAME(curvature_times)(int64_t K, int64_t n, const REAL *p, const REAL *weights, REAL *x)
{
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t rows = n - start < BLOCK ? n - start : BLOCK;
        REAL mean[BLOCK];
        for (int64_t t = 0; t < rows; t++)
            mean[t] = 0;
        for (int64_t k = 0; k < K; k++) {
            const REAL *q = p + k * n + start, *u = x + k * n + start;
            for (int64_t t = 0; t < rows; t++)
                mean[t] += q[t] * u[t];
        }
        for (int64_t k = 0; k < K; k++) {
            const REAL *q = p + k * n + start;
            REAL *u = x + k * n + start;
            SW_IVDEP
            for (int64_t t = 0; t < rows; t++)
                u[t] = weights[start + t] * q[t] * (u[t] - mean[t]);
        }
    }
}

#undef REAL
#undef BITS
#undef UNSIGNED
#undef NAME
#undef LEAST
#undef MAGIC
#undef LOG2_HIGH
#undef LOG2_LOW
#undef MANTISSA
#undef ONE
#undef TAYLOR
