/* Which elements a draw keeps, 64 of them in a word: Philox4x32-10, one 16-bit number an element, as dropout/bits.py specifies.
 *
 * Element i uses half i % 8 of block i / 8; it is kept when the number is above the threshold, a tie is settled by 32 further
 * bits from the tie stream. Every form below makes GROUPS words, bit j of words[g] being element 64 (group + g) + j. The
 * 64-bit lanes of the vector forms hold a 32-bit word in their low half: the widening multiply ignores the high one.
 */
#ifndef SHRINKWISE_PHILOX_H
#define SHRINKWISE_PHILOX_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../common.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define SW_X86 1
#include <cpuid.h>
#include <immintrin.h>
#define SW_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi2,f16c")))
#define SW_AVX2 __attribute__((target("avx2,f16c")))
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define SW_NEON 1
#include <arm_neon.h>
#endif

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u
#define TIE_STREAM 0x80000000u
enum { PHILOX_ROUNDS = 10, SW_GROUP = 64, GROUPS = 4, BLOCK = GROUPS * SW_GROUP }; /* a block: what one call makes bits for */

/* What the first two rounds of all blocks b with the high word `high` share. A round turns (c0, c1, c2, c3) into
 * (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)). It starts from (low word of b, high, stream): only c2
 * and c3 depend on b after the first round, c0, c1 and c2 after the second. */
typedef struct {
    uint64_t c2_first, c0, c2, c3;
} sw_shared;

typedef struct {
    uint64_t keys[PHILOX_ROUNDS][2]; /* round keys, each in the low half */
    uint64_t stream[2];
    sw_shared shared; /* of the first 2^32 blocks */
    uint32_t threshold;
    uint64_t rest; /* up to 2^32: every tie drops */
    int level;     /* the instruction set */
} sw_draw;

static inline sw_shared sw_share(const sw_draw *d, uint64_t high)
{
    const uint64_t product = PHILOX_M1 * d->stream[0], c0 = (product >> 32) ^ high ^ d->keys[0][0], next = PHILOX_M0 * c0;
    const sw_shared s = {d->stream[1] ^ d->keys[0][1], (uint32_t)product ^ d->keys[1][0], next >> 32 ^ d->keys[1][1], (uint32_t)next};
    return s;
}

static sw_draw sw_make_draw(uint64_t seed, uint64_t stream, double keep, int level)
{
    sw_draw d;
    d.level = level;
    for (int r = 0; r < PHILOX_ROUNDS; r++) {
        d.keys[r][0] = (uint32_t)(seed + (uint64_t)PHILOX_W0 * (uint64_t)r);
        d.keys[r][1] = (uint32_t)((seed >> 32) + (uint64_t)PHILOX_W1 * (uint64_t)r);
    }
    d.stream[0] = (uint32_t)stream;
    d.stream[1] = stream >> 32;
    d.shared = sw_share(&d, 0);
    const uint64_t drop = (uint64_t)rint((1.0 - keep) * 0x1p48); /* half to even, as Python rounds */
    d.threshold = (uint32_t)(drop >> 32);
    d.rest = drop & 0xffffffffu;
    if (d.threshold > 0xffff) { /* a probability of 1 to 48 bits, in numbers of 16 bits */
        d.threshold = 0xffff;
        d.rest = UINT64_C(1) << 32;
    }
    return d;
}

static void philox(const sw_draw *d, uint64_t block, uint32_t flip, uint32_t *x)
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)d->stream[0], c3 = (uint32_t)d->stream[1] ^ flip;
    for (int r = 0; r < PHILOX_ROUNDS; r++) {
        const uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ (uint32_t)d->keys[r][0];
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ (uint32_t)d->keys[r][1];
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
    }
    x[0] = c0, x[1] = c1, x[2] = c2, x[3] = c3;
}

/* `kept` without the tied elements whose further bits say drop. One group in a thousand has a tie. */
static uint64_t settle(const sw_draw *d, uint64_t group, uint64_t kept, uint64_t ties)
{
    uint32_t x[4];
    for (int j = 0; j < SW_GROUP; j++) {
        if (!(ties >> j & 1))
            continue;
        const uint64_t i = group * SW_GROUP + (uint64_t)j;
        philox(d, i / 4, TIE_STREAM, x);
        if (x[i % 4] < d->rest)
            kept &= ~(UINT64_C(1) << j);
    }
    return kept;
}

static uint64_t keep_group(const sw_draw *d, uint64_t group)
{
    uint32_t x[4];
    uint64_t kept = 0, ties = 0;
    for (int b = 0; b < 8; b++) {
        philox(d, group * 8 + (uint64_t)b, 0, x);
        for (int j = 0; j < 8; j++) {
            const uint32_t number = x[j / 2] >> 16 * (j % 2) & 0xffffu;
            kept |= (uint64_t)(number >= d->threshold) << (8 * b + j);
            ties |= (uint64_t)(number == d->threshold) << (8 * b + j);
        }
    }
    return d->rest && ties ? settle(d, group, kept, ties) : kept;
}

static void keep_scalar(const sw_draw *d, uint64_t group, uint64_t *words)
{
    for (int g = 0; g < GROUPS; g++)
        words[g] = keep_group(d, group + (uint64_t)g);
}

#ifdef SW_X86
/* Four groups: independent chains keep the multipliers busy. */
SW_AVX512 SW_INLINE void keep_avx512(const sw_draw *d, uint64_t group, uint64_t *words)
{
    const uint64_t high = group >> 29; /* of the number of a block, 8 group */
    if (__builtin_expect(high != (group + GROUPS - 1) >> 29, 0)) {
        keep_scalar(d, group, words);
        return;
    }
    const sw_shared shared = __builtin_expect(high != 0, 0) ? sw_share(d, high) : d->shared;
    const __m512i m0 = _mm512_set1_epi64(PHILOX_M0), m1 = _mm512_set1_epi64(PHILOX_M1);
    const __m512i threshold = _mm512_set1_epi16((short)d->threshold);
    __m512i c0[GROUPS], c1[GROUPS], c2[GROUPS], c3[GROUPS];
    for (int h = 0; h < GROUPS; h++) { /* blocks in the order that makes the two unpacked halves below consecutive */
        const __m512i block = _mm512_add_epi64(_mm512_set1_epi64((long long)((group + (uint64_t)h) * 8)),
                                               _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
        const __m512i p0 = _mm512_mul_epu32(block, m0);
        const __m512i first = _mm512_xor_si512(_mm512_srli_epi64(p0, 32), _mm512_set1_epi64((long long)shared.c2_first));
        c1[h] = _mm512_mul_epu32(first, m1);
        c0[h] = _mm512_xor_si512(_mm512_srli_epi64(c1[h], 32), _mm512_set1_epi64((long long)shared.c0));
        c2[h] = _mm512_xor_si512(p0, _mm512_set1_epi64((long long)shared.c2));
        c3[h] = _mm512_set1_epi64((long long)shared.c3);
    }
#pragma GCC unroll 10
    for (int r = 2; r < PHILOX_ROUNDS; r++) {
        const __m512i k0 = _mm512_set1_epi64((long long)d->keys[r][0]), k1 = _mm512_set1_epi64((long long)d->keys[r][1]);
#pragma GCC unroll 4
        for (int h = 0; h < GROUPS; h++) {
            const __m512i p0 = _mm512_mul_epu32(c0[h], m0), p1 = _mm512_mul_epu32(c2[h], m1);
            if (r < PHILOX_ROUNDS - 1) {
                c0[h] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1[h], k0, 0x96);
                c2[h] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3[h], k1, 0x96);
            } else { /* words 0 and 1, and 2 and 3, side by side: the low product stays in the rotated high half */
                c0[h] = _mm512_mask_ternarylogic_epi32(_mm512_ror_epi64(p1, 32), 0x5555, c1[h], k0, 0x96);
                c2[h] = _mm512_mask_ternarylogic_epi32(_mm512_ror_epi64(p0, 32), 0x5555, c3[h], k1, 0x96);
            }
            c1[h] = p1;
            c3[h] = p0;
        }
    }
#pragma GCC unroll 4
    for (int h = 0; h < GROUPS; h++) {
        const __m512i low = _mm512_unpacklo_epi64(c0[h], c2[h]), high_half = _mm512_unpackhi_epi64(c0[h], c2[h]);
        words[h] = (uint64_t)_mm512_cmpge_epu16_mask(high_half, threshold) << 32 | _mm512_cmpge_epu16_mask(low, threshold);
        if (d->rest) {
            const __mmask32 tied_low = _mm512_cmpeq_epu16_mask(low, threshold);
            const __mmask32 tied_high = _mm512_cmpeq_epu16_mask(high_half, threshold);
            if (__builtin_expect(!_kortestz_mask32_u8(tied_low, tied_high), 0))
                words[h] = settle(d, group + (uint64_t)h, words[h], (uint64_t)tied_high << 32 | tied_low);
        }
    }
}

SW_AVX2 SW_INLINE void keep_avx2(const sw_draw *d, uint64_t group, uint64_t *words)
{
    const __m256i m0 = _mm256_set1_epi64x(PHILOX_M0), m1 = _mm256_set1_epi64x(PHILOX_M1);
    const __m256i threshold = _mm256_set1_epi16((short)d->threshold);
    const __m256i stream0 = _mm256_set1_epi64x((long long)d->stream[0]), stream1 = _mm256_set1_epi64x((long long)d->stream[1]);
    __m256i block = _mm256_add_epi64(_mm256_set1_epi64x((long long)(group * 8)), _mm256_setr_epi64x(0, 1, 2, 3));
    for (int half = 0; half < 2 * GROUPS; half++, block = _mm256_add_epi64(block, _mm256_set1_epi64x(4))) {
        __m256i c0 = block, c1 = _mm256_srli_epi64(block, 32), c2 = stream0, c3 = stream1;
#pragma GCC unroll 10
        for (int r = 0; r < PHILOX_ROUNDS; r++) {
            const __m256i p0 = _mm256_mul_epu32(c0, m0), p1 = _mm256_mul_epu32(c2, m1);
            const __m256i k0 = _mm256_set1_epi64x((long long)d->keys[r][0]), k1 = _mm256_set1_epi64x((long long)d->keys[r][1]);
            c0 = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(c1, k0));
            c2 = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(c3, k1));
            c1 = p1;
            c3 = p0;
        }
        const __m256i x01 = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA);
        const __m256i x23 = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA);
        const __m256i low = _mm256_unpacklo_epi64(x01, x23), high = _mm256_unpackhi_epi64(x01, x23);
        const __m256i kept_low = _mm256_cmpeq_epi16(_mm256_max_epu16(low, threshold), low);
        const __m256i kept_high = _mm256_cmpeq_epi16(_mm256_max_epu16(high, threshold), high);
        uint64_t kept = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(kept_low, kept_high));
        if (d->rest) {
            const __m256i tied = _mm256_packs_epi16(_mm256_cmpeq_epi16(low, threshold), _mm256_cmpeq_epi16(high, threshold));
            const uint64_t ties = (uint32_t)_mm256_movemask_epi8(tied);
            const int shift = 32 * (half & 1);
            if (ties)
                kept = settle(d, group + (uint64_t)half / 2, kept << shift, ties << shift) >> shift;
        }
        words[half / 2] = half & 1 ? words[half / 2] | kept << 32 : kept;
    }
}
#endif

#ifdef SW_NEON
static void keep_neon(const sw_draw *d, uint64_t group, uint64_t *words)
{
    static const uint16_t weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    static const uint32_t lanes[4] = {0, 1, 2, 3};
    const uint16x8_t threshold = vdupq_n_u16((uint16_t)d->threshold), weight = vld1q_u16(weights);
    for (int half = 0; half < 2 * GROUPS; half++) {
        const uint64_t block = group * 8 + (uint64_t)half * 4; /* a multiple of 4: adding a lane carries nothing over */
        uint32x4_t c0 = vaddq_u32(vdupq_n_u32((uint32_t)block), vld1q_u32(lanes)), c1 = vdupq_n_u32((uint32_t)(block >> 32));
        uint32x4_t c2 = vdupq_n_u32((uint32_t)d->stream[0]), c3 = vdupq_n_u32((uint32_t)d->stream[1]);
        for (int r = 0; r < PHILOX_ROUNDS; r++) {
            const uint32x4_t a = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(c0), PHILOX_M0));
            const uint32x4_t b = vreinterpretq_u32_u64(vmull_n_u32(vget_high_u32(c0), PHILOX_M0));
            const uint32x4_t e = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(c2), PHILOX_M1));
            const uint32x4_t f = vreinterpretq_u32_u64(vmull_n_u32(vget_high_u32(c2), PHILOX_M1));
            c0 = veorq_u32(veorq_u32(vuzp2q_u32(e, f), c1), vdupq_n_u32((uint32_t)d->keys[r][0]));
            c2 = veorq_u32(veorq_u32(vuzp2q_u32(a, b), c3), vdupq_n_u32((uint32_t)d->keys[r][1]));
            c1 = vuzp1q_u32(e, f);
            c3 = vuzp1q_u32(a, b);
        }
        uint32_t numbers[16];
        const uint32x4x4_t x = {{c0, c1, c2, c3}};
        vst4q_u32(numbers, x); /* the four words of a block side by side */
        uint64_t kept = 0, ties = 0;
        for (int b = 0; b < 4; b++) {
            const uint16x8_t number = vreinterpretq_u16_u32(vld1q_u32(numbers + 4 * b));
            kept |= (uint64_t)vaddvq_u16(vandq_u16(vcgeq_u16(number, threshold), weight)) << 8 * b;
            ties |= (uint64_t)vaddvq_u16(vandq_u16(vceqq_u16(number, threshold), weight)) << 8 * b;
        }
        const int shift = 32 * (half & 1);
        if (d->rest && ties)
            kept = settle(d, group + (uint64_t)half / 2, kept << shift, ties << shift) >> shift;
        words[half / 2] = half & 1 ? words[half / 2] | kept << 32 : kept;
    }
}
#endif

static inline void keep_plain(const sw_draw *d, uint64_t group, uint64_t *words)
{
#ifdef SW_NEON
    if (d->level == 2) {
        keep_neon(d, group, words);
        return;
    }
#endif
    keep_scalar(d, group, words);
}

/* The instruction sets this processor has: 4 AVX-512, 3 AVX2, 2 NEON, 1 plain C. */
static int sw_find_level(void)
{
#if defined(SW_X86)
    unsigned a, b, c, d;
    const int f16c = __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
    __builtin_cpu_init();
    if (!f16c || !__builtin_cpu_supports("avx2"))
        return 1;
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return 4;
    return 3;
#elif defined(SW_NEON)
    return 2;
#else
    return 1;
#endif
}

/* The level asked for (0: the best), lowered to one this processor has. It is asked once: on a virtual machine CPUID takes
 * as long as a thousand elements. */
static int sw_level(int64_t asked)
{
    static int best = 0; /* whoever comes first writes the same number */
    if (!best)
        best = sw_find_level();
    if (asked <= 0 || asked >= best)
        return best;
    return asked == 3 ? 3 : 1;
}

/* The bits of the next BLOCK elements. They start `shift` bits into a group, so one word is carried over. */
typedef struct {
    uint64_t group, carried;
    int shift;
} bits_t;

SW_INLINE bits_t bits_from(int64_t index, const sw_draw *d)
{
    bits_t b = {(uint64_t)(index / SW_GROUP), 0, (int)(index % SW_GROUP)};
    if (b.shift)
        b.carried = keep_group(d, b.group++);
    return b;
}

SW_INLINE void shift_in(bits_t *b, uint64_t *words)
{
    b->group += GROUPS;
    if (!b->shift)
        return;
    for (int g = 0; g < GROUPS; g++) {
        const uint64_t next = words[g];
        words[g] = b->carried >> b->shift | next << (SW_GROUP - b->shift);
        b->carried = next;
    }
}

#endif
