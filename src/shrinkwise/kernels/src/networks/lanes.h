/* Vectors of the four types: how the x86 forms of dropout.c load, store, scale and mask them.
 *
 * past: the store goes past the caches; the address is then a multiple of 64.
 */
#ifndef SHRINKWISE_LANES_H
#define SHRINKWISE_LANES_H

#include <stdint.h>

#include "../common.h"
#include "philox.h"

typedef uint16_t bf16;
typedef uint16_t f16;

#ifdef SW_X86
#define ONE_512 _mm512_set1_ps
#define KEPT_512(w, v) _mm512_maskz_mov_ps((__mmask16)(w), v)
#define POSITIVE_512(a, b) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(b, _mm512_setzero_ps(), _CMP_NLE_UQ), a)
#define KEPT_512D(w, v) _mm512_maskz_mov_pd((__mmask8)(w), v)
#define POSITIVE_512D(a, b) _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(b, _mm512_setzero_pd(), _CMP_NLE_UQ), a)

/* 32 bfloat16 numbers as float: those in the low and those in the high halves of 32-bit lanes, no lane is moved. */
typedef struct {
    __m512 low, high;
} pair_512;

SW_AVX512 SW_INLINE pair_512 load_bf16_512(const bf16 *p)
{
    const __m512i u = _mm512_loadu_si512(p);
    const __m512i high = _mm512_and_si512(u, _mm512_set1_epi32((int)0xffff0000));
    return (pair_512){_mm512_castsi512_ps(_mm512_slli_epi32(u, 16)), _mm512_castsi512_ps(high)};
}

/* Half to even in bit 16 of each lane. The low half of a NaN is 0, for it came from a bfloat16 or is the default one: nothing
 * is carried into its high half. */
SW_AVX512 SW_INLINE __m512i round_bf16_512(__m512 x)
{
    const __m512i u = _mm512_castps_si512(x), half = _mm512_add_epi32(u, _mm512_set1_epi32(0x7fff));
    return _mm512_mask_add_epi32(half, _mm512_test_epi32_mask(u, _mm512_set1_epi32(0x10000)), half, _mm512_set1_epi32(1));
}

SW_AVX512 SW_INLINE void store_bf16_512(bf16 *p, pair_512 x, int past)
{
    const __m512i low = _mm512_srli_epi32(round_bf16_512(x.low), 16);
    const __m512i both = _mm512_mask_blend_epi16(0xaaaaaaaa, low, round_bf16_512(x.high));
    past ? _mm512_stream_si512((__m512i *)p, both) : _mm512_storeu_si512(p, both);
}

SW_AVX512 SW_INLINE pair_512 one_pair_512(float x) { return (pair_512){_mm512_set1_ps(x), _mm512_set1_ps(x)}; }

SW_AVX512 SW_INLINE pair_512 mul_pair_512(pair_512 a, pair_512 b)
{
    return (pair_512){_mm512_mul_ps(a.low, b.low), _mm512_mul_ps(a.high, b.high)};
}

SW_AVX512 SW_INLINE pair_512 add_pair_512(pair_512 a, pair_512 b)
{
    return (pair_512){_mm512_add_ps(a.low, b.low), _mm512_add_ps(a.high, b.high)};
}

SW_AVX512 SW_INLINE pair_512 positive_pair_512(pair_512 a, pair_512 b)
{
    return (pair_512){POSITIVE_512(a.low, b.low), POSITIVE_512(a.high, b.high)};
}

SW_AVX512 SW_INLINE pair_512 kept_pair_512(uint64_t w, pair_512 x)
{
    const uint32_t low = _pext_u32((uint32_t)w, 0x55555555), high = _pext_u32((uint32_t)w, 0xaaaaaaaa);
    return (pair_512){KEPT_512(low, x.low), KEPT_512(high, x.high)};
}

SW_AVX512 SW_INLINE __m512 load_f16_512(const f16 *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

SW_AVX512 SW_INLINE void store_f16_512(f16 *p, __m512 x, int past)
{
    const __m256i half = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    past ? _mm256_stream_si256((__m256i *)p, half) : _mm256_storeu_si256((__m256i *)p, half);
}

SW_AVX512 SW_INLINE void store_512(float *p, __m512 x, int past) { past ? _mm512_stream_ps(p, x) : _mm512_storeu_ps(p, x); }
SW_AVX512 SW_INLINE void store_512d(double *p, __m512d x, int past) { past ? _mm512_stream_pd(p, x) : _mm512_storeu_pd(p, x); }

#define FLOAT_512 ONE_512, _mm512_mul_ps, _mm512_add_ps, POSITIVE_512, KEPT_512
#define PAIR_512 one_pair_512, mul_pair_512, add_pair_512, positive_pair_512, kept_pair_512
#define DOUBLE_512 _mm512_set1_pd, _mm512_mul_pd, _mm512_add_pd, POSITIVE_512D, KEPT_512D

/* Bit j of w as a full lane j. */
SW_AVX2 SW_INLINE __m256 lanes_256(uint64_t w)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)w), bit), bit));
}

SW_AVX2 SW_INLINE __m256d lanes_256d(uint64_t w)
{
    const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x((long long)w), bit), bit));
}

#define ONE_256 _mm256_set1_ps
#define KEPT_256(w, v) _mm256_and_ps(lanes_256(w), v)
#define POSITIVE_256(a, b) _mm256_and_ps(_mm256_cmp_ps(b, _mm256_setzero_ps(), _CMP_NLE_UQ), a)
#define KEPT_256D(w, v) _mm256_and_pd(lanes_256d(w), v)
#define POSITIVE_256D(a, b) _mm256_and_pd(_mm256_cmp_pd(b, _mm256_setzero_pd(), _CMP_NLE_UQ), a)

SW_AVX2 SW_INLINE __m256 load_bf16_256(const bf16 *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}

SW_AVX2 SW_INLINE void store_bf16_256(bf16 *p, __m256 x, int past)
{
    const __m256i u = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i bits = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits, bits), 0x08);
    const __m128i half = _mm256_castsi256_si128(packed);
    past ? _mm_stream_si128((__m128i *)p, half) : _mm_storeu_si128((__m128i *)p, half);
}

SW_AVX2 SW_INLINE __m256 load_f16_256(const f16 *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

SW_AVX2 SW_INLINE void store_f16_256(f16 *p, __m256 x, int past)
{
    const __m128i half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    past ? _mm_stream_si128((__m128i *)p, half) : _mm_storeu_si128((__m128i *)p, half);
}

SW_AVX2 SW_INLINE void store_256(float *p, __m256 x, int past) { past ? _mm256_stream_ps(p, x) : _mm256_storeu_ps(p, x); }
SW_AVX2 SW_INLINE void store_256d(double *p, __m256d x, int past) { past ? _mm256_stream_pd(p, x) : _mm256_storeu_pd(p, x); }

#define FLOAT_256 ONE_256, _mm256_mul_ps, _mm256_add_ps, POSITIVE_256, KEPT_256
#define DOUBLE_256 _mm256_set1_pd, _mm256_mul_pd, _mm256_add_pd, POSITIVE_256D, KEPT_256D
#endif

#endif
