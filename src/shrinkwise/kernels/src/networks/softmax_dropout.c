/* Rows of attention scores into thinned weights, in place, while they are in the cache:
 *
 *   s_j <- kept_j ? exp(s_j - max s) : 0        factor = 1 / (keep * sum_j exp(s_j - max s))
 *
 * so that factor * (s v) is dropout(softmax(s)) v: the division is left to the product, which is shorter. Row r is about its
 * first `visible` + r columns alone, what is behind becomes 0: the lower triangle of causal attention, or all columns when
 * `visible` is their number. Element j of row r has the bits of element first + r step + j of the draw. NaN and +inf make a
 * row NaN, as softmax does.
 *
 * exp by Cody and Waite's reduction, x = k ln 2 + r with |r| <= ln 2 / 2, and the Taylor polynomial of degree 7 (error below
 * one unit in the last place of float).
 */
#include "../parallel.h"
#include "philox.h"

typedef struct {
    int64_t columns, step, visible, first;
    float *scores, *factors;
    double keep;
    sw_draw draw;
} softmax_t;

#define LOG2E 1.44269504f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define LEAST -103.0f /* exp of less rounds to the smallest numbers or 0 */

#ifdef SW_X86
SW_AVX512 SW_INLINE __m512 exp_512(__m512 x)
{
    const __m512 k = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(LOG2E)), _MM_FROUND_TO_NEAREST_INT);
    __m512 r = _mm512_fnmadd_ps(k, _mm512_set1_ps(LN2_HIGH), x);
    r = _mm512_fnmadd_ps(k, _mm512_set1_ps(LN2_LOW), r);
    __m512 y = _mm512_set1_ps(1.0f / 5040);
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 720));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 120));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 24));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 6));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(0.5f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(y, k);
}

SW_AVX512 static void row_512(const softmax_t *job, int64_t n, float *s, float *factor, int64_t index)
{
    bits_t bits = bits_from(index, &job->draw);
    uint64_t words[GROUPS];
    __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    __mmask16 nan = 0;
    for (int64_t j = 0; j < n; j += 16) {
        const __mmask16 inside = n - j < 16 ? (__mmask16)((1u << (n - j)) - 1) : 0xffff;
        const __m512 x = _mm512_maskz_loadu_ps(inside, s + j);
        nan |= _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
        most = _mm512_mask_max_ps(most, inside, most, x);
    }
    most = _mm512_set1_ps(nan ? NAN : _mm512_reduce_max_ps(most));
    for (int64_t block = 0; block < n; block += BLOCK) {
        keep_avx512(&job->draw, bits.group, words);
        shift_in(&bits, words);
        for (int64_t j = block; j < n && j < block + BLOCK; j += 16) {
            const __mmask16 inside = n - j < 16 ? (__mmask16)((1u << (n - j)) - 1) : 0xffff;
            const __m512 x = _mm512_sub_ps(_mm512_maskz_loadu_ps(inside, s + j), most);
            const __m512 e = exp_512(_mm512_max_ps(_mm512_set1_ps(LEAST), x)); /* the second operand when x is NaN */
            sum = _mm512_mask_add_ps(sum, inside, sum, e);
            const __mmask16 kept = (__mmask16)(words[(j - block) / SW_GROUP] >> ((j - block) % SW_GROUP));
            _mm512_mask_storeu_ps(s + j, inside, _mm512_maskz_mov_ps(kept, e));
        }
    }
    *factor = (float)(1.0 / (job->keep * _mm512_reduce_add_ps(sum)));
}
static void rows(const void *data, int64_t from, int64_t to)
{
    const softmax_t *job = data;
    for (int64_t r = from; r < to; r++) {
        float *s = job->scores + r * job->columns;
        const int64_t n = job->visible + r < job->columns ? job->visible + r : job->columns;
        row_512(job, n, s, job->factors + r, job->first + r * job->step);
        memset(s + n, 0, (size_t)(job->columns - n) * sizeof *s);
    }
}
#endif

/* scores: n_rows rows of n columns, in place; factors: one a row. threads, pool: as in sw_dropout. Returns 0, with nothing
 * done, on a processor without AVX-512: elsewhere the caller's own softmax is no slower. */
SW_EXPORT int64_t sw_softmax_dropout(int64_t n_rows, int64_t columns, int64_t step, int64_t visible, int64_t first,
                                     float *scores, float *factors, int64_t seed, int64_t stream, double keep,
                                     int64_t threads, void *const *pool)
{
#ifdef SW_X86
    if (sw_level(0) == 4) {
        const sw_draw draw = sw_make_draw((uint64_t)seed, (uint64_t)stream, keep, 4);
        const softmax_t job = {columns, step, visible, first, scores, factors, keep, draw};
        sw_parallel(rows, &job, n_rows, 1, threads, pool);
        return 1;
    }
#endif
    (void)n_rows, (void)columns, (void)step, (void)visible, (void)first, (void)scores, (void)factors;
    (void)seed, (void)stream, (void)keep, (void)threads, (void)pool;
    return 0;
}
