/* Dropout with a mask that is never stored: one read and one write of memory.
 *
 *   SCALE      out = kept ? in * (1/keep) : 0                        forward and backward
 *   RESIDUAL   out = other + (kept ? in * (1/keep) : 0)
 *   BIAS_RELU  out = kept ? max(in + bias, 0) * (1/keep) : 0         bias: one number a column
 *   RELU_BACK  out = other <= 0 ? 0 : in * (1/keep)                  other: what BIAS_RELU gave; no bits needed
 *   MASK       out = kept, a byte of 0 or 1
 *   PAST       SCALE for an output too large to stay in the caches: stored past them
 *
 * Element i of the arrays uses the bits of element first + i of the draw (philox.h), so ranges may be cut anywhere. in == out
 * is allowed. float16 and bfloat16 are computed in float and rounded once. A product and a sum are never contracted: the
 * result is the same on every instruction set.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#elif defined(__clang__)
#pragma clang fp contract(off)
#endif

#include "lanes.h"
#include "../parallel.h"
#include "philox.h"

enum { SCALE = 0, RESIDUAL = 1, BIAS_RELU = 2, RELU_BACK = 3, MASK = 4, PAST = 5 };
enum { F32 = 0, F64 = 1, BF16 = 2, F16 = 3 };
enum { LARGE = 1 << 23 }; /* bytes: with the input, half of a common last-level cache */

typedef struct {
    int op, dtype;
    int64_t n, first, columns;
    const char *in, *other;
    char *out;
    double scale;
    sw_draw draw;
} job_t;

static inline uint32_t as_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float as_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float get_f32(const float *p) { return *p; }
static inline void put_f32(float *p, float x) { *p = x; }
static inline double get_f64(const double *p) { return *p; }
static inline void put_f64(double *p, double x) { *p = x; }

static inline float get_bf16(const bf16 *p) { return as_float((uint32_t)*p << 16); }

static inline void put_bf16(bf16 *p, float x)
{
    const uint32_t u = as_bits(x);
    *p = x != x ? (bf16)(u >> 16 | 0x40) : (bf16)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float get_f16(const f16 *p)
{
    const uint32_t sign = (uint32_t)(*p & 0x8000) << 16, magnitude = *p & 0x7fff;
    if (magnitude >= 0x7c00)
        return as_float(sign | (magnitude << 13) | 0x7f800000 | (magnitude > 0x7c00 ? 0x400000 : 0));
    /* Moving the exponent by a multiplication also makes subnormal numbers right. */
    return as_float(sign | as_bits(as_float(magnitude << 13) * 0x1p112f));
}

static inline void put_f16(f16 *p, float x)
{
    const uint32_t u = as_bits(x), sign = u >> 16 & 0x8000, magnitude = u & 0x7fffffff;
    if (magnitude > 0x7f800000)
        *p = (f16)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    else if (magnitude >= 0x477ff000) /* half way between the largest number and the next: rounds to infinity */
        *p = (f16)(sign | 0x7c00);
    else if (magnitude < 0x38800000) /* subnormal: adding 1/2 leaves a multiple of 2^-24, rounded to even */
        *p = (f16)(sign | (as_bits(as_float(magnitude) + 0.5f) - 0x3f000000));
    else
        *p = (f16)(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

typedef void keep_t(const sw_draw *, uint64_t, uint64_t *);

/* The bias of BLOCK elements from element k on: in place where they lie in one row, else gathered into `copy`. */
SW_INLINE const void *bias_at(const job_t *job, int64_t k, int64_t size, char *copy)
{
    const int64_t column = k % job->columns;
    if (column + BLOCK <= job->columns)
        return job->other + column * size;
    for (int64_t j = 0; j < BLOCK; j++)
        memcpy(copy + j * size, job->other + (column + j) % job->columns * size, (size_t)size);
    return copy;
}

/* One element, the definition: POSITIVE passes NaN, as torch's relu does. */
#define DEFINE_ONE(T, V)                                                                                               \
    SW_INLINE void one_##T(int op, const T *in, const T *other, T *out, int kept, V scale)                             \
    {                                                                                                                  \
        V y = 0;                                                                                                       \
        if (op == BIAS_RELU) {                                                                                         \
            const V sum = GET_##T(in) + GET_##T(other);                                                                \
            y = kept ? (sum <= 0 ? 0 : sum) * scale : 0;                                                               \
        } else if (op == RELU_BACK) {                                                                                  \
            y = GET_##T(other) <= 0 ? 0 : GET_##T(in) * scale;                                                         \
        } else {                                                                                                       \
            y = kept ? GET_##T(in) * scale : 0;                                                                        \
            if (op == RESIDUAL)                                                                                        \
                y = GET_##T(other) + y;                                                                                \
        }                                                                                                              \
        PUT_##T(out, y);                                                                                               \
    }

/* Elements from..to, a block at a time: its bits by KEEP, its elements by BODY(op, in, other, out, words). What does not fill
 * a block goes through one. */
#define RANGE_LOOP(OP, T, KEEP, BODY)                                                                                  \
    for (int64_t k = from; k < to; k += BLOCK) {                                                                       \
        const T *other = OP == BIAS_RELU ? bias_at(job, k, sizeof(T), bias) : (const T *)job->other + k;               \
        if (OP != RELU_BACK) {                                                                                         \
            KEEP(&job->draw, bits.group, words);                                                                       \
            shift_in(&bits, words);                                                                                    \
        }                                                                                                              \
        if (to - k >= BLOCK) {                                                                                         \
            BODY(OP, (const T *)job->in + k, other, (T *)job->out + k, words, scale);                                  \
        } else {                                                                                                       \
            const size_t size = (size_t)(to - k) * sizeof(T);                                                          \
            memset(rest, 0, sizeof rest);                                                                              \
            memcpy(rest[0], (const T *)job->in + k, size);                                                             \
            if (OP == RESIDUAL || OP == RELU_BACK)                                                                     \
                other = memcpy(rest[1], other, size);                                                                  \
            BODY(OP, rest[0], other, rest[0], words, scale);                                                           \
            memcpy((T *)job->out + k, rest[0], size);                                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    break

#define DEFINE_RANGE(NAME, TARGET, T, V, KEEP, BODY)                                                                   \
    TARGET static void NAME(const job_t *job, int64_t from, int64_t to)                                                \
    {                                                                                                                  \
        const V scale = (V)job->scale;                                                                                 \
        bits_t bits = bits_from(job->first + from, &job->draw);                                                        \
        uint64_t words[GROUPS] = {0};                                                                                    \
        char bias[BLOCK * sizeof(T)];                                                                                  \
        SW_ALIGNED T rest[2][BLOCK];                                                                                   \
        switch (job->op) {                                                                                             \
        case SCALE:                                                                                                    \
            RANGE_LOOP(SCALE, T, KEEP, BODY);                                                                          \
        case PAST:                                                                                                     \
            RANGE_LOOP(PAST, T, KEEP, BODY);                                                                           \
        case RESIDUAL:                                                                                                 \
            RANGE_LOOP(RESIDUAL, T, KEEP, BODY);                                                                       \
        case BIAS_RELU:                                                                                                \
            RANGE_LOOP(BIAS_RELU, T, KEEP, BODY);                                                                      \
        default:                                                                                                       \
            RANGE_LOOP(RELU_BACK, T, KEEP, BODY);                                                                      \
        }                                                                                                              \
        if (job->op == PAST)                                                                                           \
            sw_stream_end();                                                                                           \
    }

#define DEFINE_PLAIN(T, V)                                                                                             \
    DEFINE_ONE(T, V)                                                                                                   \
    SW_INLINE void plain_body_##T(int op, const T *in, const T *other, T *out, const uint64_t *words, V scale)         \
    {                                                                                                                  \
        for (int j = 0; j < BLOCK; j++)                                                                                \
            one_##T(op, in + j, other + j, out + j, words[j / SW_GROUP] >> (j % SW_GROUP) & 1, scale);                 \
    }                                                                                                                  \
    DEFINE_RANGE(plain_##T, , T, V, keep_plain, plain_body_##T)

#define GET_float get_f32
#define PUT_float put_f32
#define GET_double get_f64
#define PUT_double put_f64
#define GET_bf16 get_bf16
#define PUT_bf16 put_bf16
#define GET_f16 get_f16
#define PUT_f16 put_f16
DEFINE_PLAIN(float, float)
DEFINE_PLAIN(double, double)
DEFINE_PLAIN(bf16, float)
DEFINE_PLAIN(f16, float)

#ifdef SW_X86
/* W elements at a time. POSITIVE(a, b): 0 where b <= 0, else a. */
#define DEFINE_VECTOR(ISA, TARGET, KEEP, T, V, W, X, LOAD, STORE, ONE, MUL, ADD, POSITIVE, KEPT)                       \
    TARGET SW_INLINE void body_##T##_##ISA(int op, const T *in, const T *other, T *out, const uint64_t *words, V scale) \
    {                                                                                                                  \
        const X scales = ONE(scale);                                                                                   \
        _Pragma("GCC unroll 64") for (int j = 0; j < BLOCK; j += W)                                                    \
        {                                                                                                              \
            const uint64_t kept = words[j / SW_GROUP] >> (j % SW_GROUP);                                               \
            X y = LOAD(in + j);                                                                                        \
            if (op == BIAS_RELU) {                                                                                     \
                y = ADD(y, LOAD(other + j));                                                                           \
                y = POSITIVE(y, y);                                                                                    \
            }                                                                                                          \
            y = MUL(y, scales);                                                                                        \
            y = op == RELU_BACK ? POSITIVE(y, LOAD(other + j)) : KEPT(kept, y);                                        \
            if (op == RESIDUAL)                                                                                        \
                y = ADD(LOAD(other + j), y);                                                                           \
            STORE(out + j, y, op == PAST);                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    DEFINE_RANGE(range_##T##_##ISA, TARGET, T, V, KEEP, body_##T##_##ISA)
#define VECTOR(...) DEFINE_VECTOR(__VA_ARGS__)

#define ON_512 512, SW_AVX512, keep_avx512
VECTOR(ON_512, float, float, 16, __m512, _mm512_loadu_ps, store_512, FLOAT_512)
VECTOR(ON_512, double, double, 8, __m512d, _mm512_loadu_pd, store_512d, DOUBLE_512)
VECTOR(ON_512, bf16, float, 32, pair_512, load_bf16_512, store_bf16_512, PAIR_512)
VECTOR(ON_512, f16, float, 16, __m512, load_f16_512, store_f16_512, FLOAT_512)
#define ON_256 256, SW_AVX2, keep_avx2
VECTOR(ON_256, float, float, 8, __m256, _mm256_loadu_ps, store_256, FLOAT_256)
VECTOR(ON_256, double, double, 4, __m256d, _mm256_loadu_pd, store_256d, DOUBLE_256)
VECTOR(ON_256, bf16, float, 8, __m256, load_bf16_256, store_bf16_256, FLOAT_256)
VECTOR(ON_256, f16, float, 8, __m256, load_f16_256, store_f16_256, FLOAT_256)
SW_AVX2 static void words_256(const sw_draw *d, uint64_t group, uint64_t *words) { keep_avx2(d, group, words); }
SW_AVX512 static void words_512(const sw_draw *d, uint64_t group, uint64_t *words) { keep_avx512(d, group, words); }
#define KEEPS {words_256, words_512}
#define VECTORS(T) {range_##T##_256, range_##T##_512}
#else
#define KEEPS {keep_plain, keep_plain}
#define VECTORS(T) {plain_##T, plain_##T}
#endif

static void mask_range(const job_t *job, int64_t from, int64_t to)
{
    static keep_t *const wide[2] = KEEPS;
    bits_t bits = bits_from(job->first + from, &job->draw);
    keep_t *keep = job->draw.level >= 3 ? wide[job->draw.level - 3] : keep_plain;
    uint64_t words[GROUPS];
    for (int64_t k = from; k < to; k += BLOCK) {
        keep(&job->draw, bits.group, words);
        shift_in(&bits, words);
        for (int64_t j = 0; j < BLOCK && k + j < to; j++)
            job->out[k + j] = words[j / SW_GROUP] >> (j % SW_GROUP) & 1;
    }
}

/* Elements from..to of the arrays. */
static void work(const void *data, int64_t from, int64_t to)
{
    const job_t *job = data;
    typedef void range_t(const job_t *, int64_t, int64_t);
    static range_t *const plain[4] = {plain_float, plain_double, plain_bf16, plain_f16};
    static range_t *const vectors[4][2] = {VECTORS(float), VECTORS(double), VECTORS(bf16), VECTORS(f16)};
    if (job->op == MASK)
        mask_range(job, from, to);
    else if (job->draw.level >= 3)
        vectors[job->dtype][job->draw.level - 3](job, from, to);
    else
        plain[job->dtype](job, from, to);
}

static int64_t size_of(int dtype) { return dtype == F64 ? 8 : dtype == F32 ? 4 : 2; }

/* kind: operation * 4 + type. columns: length of the bias. level: instruction set, 0 for the best there is; one that this
 * processor lacks is lowered. pool: addresses of GOMP_parallel, omp_get_thread_num, omp_get_num_threads; used when
 * threads > 1. Returns the level that ran. */
SW_EXPORT int64_t sw_dropout(int64_t kind, int64_t n, int64_t first, const void *in, void *out, const void *other,
                             int64_t columns, int64_t seed, int64_t stream, double keep, int64_t level, int64_t threads,
                             void *const *pool)
{
    const sw_draw draw = sw_make_draw((uint64_t)seed, (uint64_t)stream, keep, sw_level(level));
    job_t job = {(int)(kind / 4), (int)(kind % 4), n, first, columns, in, other, out, 1.0 / keep, draw};
    if (job.op == SCALE && in != out && n * size_of(job.dtype) >= LARGE && (uintptr_t)out % 64 == 0)
        job.op = PAST;
    sw_parallel(work, &job, n, BLOCK, threads, pool);
    return job.draw.level;
}

typedef struct {
    job_t first;
    int64_t columns, step, visible;
} rows_t;

static void scale_rows(const void *data, int64_t from, int64_t to)
{
    const rows_t *rows = data;
    const size_t size = (size_t)size_of(rows->first.dtype);
    job_t job = rows->first;
    for (int64_t r = from; r < to; r++) {
        const int64_t n = rows->visible + r < rows->columns ? rows->visible + r : rows->columns;
        job.in = job.out = rows->first.out + (size_t)(r * rows->columns) * size;
        job.first = rows->first.first + r * rows->step;
        work(&job, 0, n);
        memset(job.out + (size_t)n * size, 0, (size_t)(rows->columns - n) * size);
    }
}

/* SCALE of a matrix in place, row by row: row r has the bits from first + r step on, and 0 behind its `visible` + r first
 * columns (the lower triangle of causal attention). */
SW_EXPORT void sw_dropout_rows(int64_t dtype, int64_t n_rows, int64_t columns, int64_t step, int64_t visible, int64_t first,
                               void *x, int64_t seed, int64_t stream, double keep, int64_t threads, void *const *pool)
{
    const sw_draw draw = sw_make_draw((uint64_t)seed, (uint64_t)stream, keep, sw_level(0));
    const rows_t rows = {{SCALE, (int)dtype, 0, first, 0, x, NULL, x, 1.0 / keep, draw}, columns, step, visible};
    sw_parallel(scale_rows, &rows, n_rows, 1, threads, pool);
}

/* SCALE on one thread with the best instruction set: a caller that is an interpreter pays by the argument. */
SW_EXPORT void sw_dropout_small(int64_t dtype, int64_t n, const void *in, void *out, int64_t seed, int64_t stream, double keep)
{
    sw_dropout(4 * SCALE + dtype, n, 0, in, out, NULL, 0, seed, stream, keep, 0, 1, NULL);
}
