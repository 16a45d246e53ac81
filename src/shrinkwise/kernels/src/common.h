/* What every kernel shares: export marks, copies of a function per instruction set (the loader picks by CPUID), no-alias loops. */
#ifndef SHRINKWISE_COMMON_H
#define SHRINKWISE_COMMON_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER)
#define SW_EXPORT __declspec(dllexport)
#define SW_INLINE static __forceinline
#else
#define SW_EXPORT __attribute__((visibility("default")))
#define SW_INLINE static inline __attribute__((always_inline))
#endif

#if defined(__GNUC__)
#define SW_PREFETCH(address) __builtin_prefetch(address)
#else
#define SW_PREFETCH(address) ((void)(address))
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define SW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SW_CLONES
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define SW_IVDEP _Pragma("GCC ivdep")
#else
#define SW_IVDEP
#endif

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#define SW_ALIGNED _Alignas(64)
#if defined(__x86_64__) && defined(__GNUC__)
/* Whole cache lines at once: quarters of them wait for each other where several arrays are read meanwhile. */
__attribute__((target("avx512f"), unused)) static void sw_stream_lines(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / 64; i++)
        _mm512_stream_si512((__m512i *)to + i, _mm512_load_si512((const __m512i *)from + i));
}
#define SW_WHOLE_LINES __builtin_cpu_supports("avx512f")
#else
#define SW_WHOLE_LINES 0
SW_INLINE void sw_stream_lines(void *to, const void *from, size_t bytes) { (void)to, (void)from, (void)bytes; }
#endif
/* Copy of 64-byte aligned blocks past the caches; order them with sw_stream_end() before anyone else reads. */
SW_INLINE void sw_stream(void *to, const void *from, size_t bytes)
{
    if (SW_WHOLE_LINES) {
        sw_stream_lines(to, from, bytes);
        return;
    }
    for (size_t i = 0; i < bytes / 16; i++)
        _mm_stream_si128((__m128i *)to + i, _mm_load_si128((const __m128i *)from + i));
}
SW_INLINE void sw_stream_end(void) { _mm_sfence(); }
#else
#include <string.h>
#define SW_ALIGNED
SW_INLINE void sw_stream(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); }
SW_INLINE void sw_stream_end(void) {}
#endif

#endif
