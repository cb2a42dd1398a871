/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over the text for all words at once, in the manner of Hyperscan's "Teddy": of
 * each word three neighbouring bytes are taken, as seldom ones as it has; words are shared
 * out over eight buckets, and a bucket's set of bytes for each of the three places is kept
 * as two tables of 16, by the low and by the high half of the byte. A shuffle looks 32
 * bytes of text up at once; where all six tables agree on a bucket, its words are compared.
 */
#include "config.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "core/event-scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_WIDE 1
#endif

#define BUCKETS 8
#define PLACES  4 /* bytes: a quad */

struct word {
	const char *text;
	uint8_t length;
	uint8_t at; /* where its four bytes begin */
	uint8_t bucket;
};

#define WORD(bucket, at, text)                                                           \
	{                                                                                \
		text, sizeof(text) - 1, at, bucket                                       \
	}

static const struct word words[] = {
	/* Intel: drivers/iommu/intel/dmar.c, iommu.c, irq_remapping.c */
	WORD(3, 12, "Request device ["),
	WORD(3, 18, "Unhandled context fault"),
	WORD(3, 1, "[fault reason"),
	WORD(3, 0, "fault status reg"),
	WORD(6, 0, "dmar"),
	WORD(5, 0, "pte level"),
	WORD(5, 5, "PTE not present"),
	WORD(5, 6, "root entry"),
	WORD(5, 9, "context entry"),
	WORD(5, 11, "pasid dir entry"),
	WORD(5, 13, "pasid table entry"),
	WORD(5, 6, "root_entry["),
	WORD(5, 5, "ctx_entry["),
	WORD(0, 7, "entry is not present"),
	WORD(0, 10, "domain does not exist"),
	WORD(1, 1, "no iommu info"),
	/* AMD: drivers/iommu/amd/iommu.c */
	WORD(4, 1, "AMD-Vi"),
	WORD(1, 3, "device="),
	/* ARM: drivers/iommu/arm */
	WORD(2, 4, "arm-smmu"),
	WORD(3, 0, "callbacks suppressed"),
	/* vfio, pci */
	WORD(0, 0, "vfio"),
	WORD(6, 1, "_dma_map("),
	WORD(0, 0, "VFIO_MAP"),
	WORD(5, 1, "not viable"),
	WORD(0, 1, "ms after "),
	WORD(7, 7, "ing transaction"),
	WORD(1, 8, "D3cold to D0"),
	WORD(5, 2, "can't reserve"),
	WORD(2, 1, "IOMMU domain attach"),
	WORD(2, 5, "1:1 IOMMU"),
	WORD(4, 0, "AER: "),
	WORD(0, 7, "PCIe Bus Error"),
	WORD(0, 5, "status/mask="),
	WORD(7, 9, "RLIMIT_MEMLOCK"),
	WORD(7, 0, "irq bypass"),
	WORD(0, 13, "MSI interrupts are not secure"),
	WORD(2, 4, "UnsupReq"),
	WORD(2, 0, "CmpltAbrt"),
	WORD(5, 3, "CmpltTO"),
	WORD(0, 2, "ACSViol"),
	WORD(3, 3, "MalfTLP"),
	/* the card's driver, of host or guest */
	WORD(7, 0, "DMA RD"),
	WORD(7, 0, "DMA WR"),
	WORD(7, 0, "DMA error"),
	WORD(7, 0, "DMA Poll"),
	WORD(7, 4, "IRQ MSI "),
	WORD(0, 1, "MSI registered"),
	WORD(3, 3, " init OK"),
	WORD(7, 1, "vmsi "),
	WORD(7, 1, "hdrv "),
	WORD(7, 4, "ong msi n"),
	WORD(4, 0, "Link down"),
	WORD(4, 0, "Link up"),
	WORD(4, 0, "QEMU parent"),
	WORD(0, 3, "msi_info"),
	WORD(6, 3, " aligned: 0x"),
	/* its users */
	WORD(6, 7, "DMA_GET_XFER"),
	WORD(6, 0, "DMABUF_METIS"),
	WORD(6, 4, "USR_DMA_XFER"),
	WORD(7, 10, "Device communication timed"),
	/* what was tried already */
	WORD(6, 1, "ommand line: "),
	WORD(1, 3, "unsafe_interrupts"),
	WORD(2, 4, "mem-prealloc"),
	WORD(7, 0, "irqchip"),
	WORD(2, 0, "rmmod "),
};

static uint8_t low[PLACES][16], high[PLACES][16];
/* Indexes of words by bucket, counted from 1, ended by 0. */
static uint8_t members[BUCKETS][G_N_ELEMENTS(words) + 1];
/* The four bytes of each word, to be compared at once. */
static uint32_t quads[G_N_ELEMENTS(words)];
static bool ready, wide;

static void prepare(void)
{
	for (size_t i = 0, n[BUCKETS] = { 0 }; i < G_N_ELEMENTS(words); i++)
		members[words[i].bucket][n[words[i].bucket]++] = (uint8_t)(i + 1);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		memcpy(&quads[i], words[i].text + words[i].at, sizeof(*quads));
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		for (int place = 0; place < PLACES; place++) {
			uint8_t byte = (uint8_t)words[i].text[words[i].at + place];

			low[place][byte & 15] |= (uint8_t)(1 << words[i].bucket);
			high[place][byte >> 4] |= (uint8_t)(1 << words[i].bucket);
		}
#ifdef HAVE_WIDE
	wide = __builtin_cpu_supports("avx2");
#endif
	ready = true;
}

void mp_event_scan_plain(bool plain)
{
	prepare();
	wide = wide && !plain;
}

const char *const *mp_event_scan_words(void)
{
	static const char *list[G_N_ELEMENTS(words) + 1];

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		list[i] = words[i].text;
	return list;
}

/* The four bytes of a word of one of BUCKETS may stand at AT: does all of it? */
static const char *confirm(
	const char *start, const char *at, const char *end, unsigned buckets)
{
	uint32_t quad;

	memcpy(&quad, at, sizeof(quad));
	for (; buckets; buckets &= buckets - 1) {
		const uint8_t *member = members[__builtin_ctz(buckets)];

		for (; *member; member++) {
			const struct word *word = &words[*member - 1];

			if (quad == quads[*member - 1] && at - start >= word->at &&
				end - at >= word->length - word->at &&
				!memcmp(at - word->at, word->text, word->length))
				return at - word->at;
		}
	}
	return NULL;
}

static unsigned buckets_at(const char *at)
{
	unsigned buckets = (1u << BUCKETS) - 1;

	for (int place = 0; place < PLACES; place++) {
		uint8_t byte = (uint8_t)at[place];

		buckets &= low[place][byte & 15] & high[place][byte >> 4];
	}
	return buckets;
}

static const char *scan_plain(const char *start, const char *at, const char *end)
{
	for (; end - at >= PLACES; at++) {
		unsigned buckets = buckets_at(at);
		const char *found = buckets ? confirm(start, at, end, buckets) : NULL;

		if (found)
			return found;
	}
	return end;
}

#ifdef HAVE_WIDE
__attribute__((target("avx2"))) static __m256i twice(const uint8_t table[16])
{
	return _mm256_broadcastsi128_si256(
		_mm_loadu_si128((const __m128i *)(const void *)table));
}

__attribute__((target("avx2"))) static __m256i look_up(
	const char *at, __m256i low_table, __m256i high_table)
{
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i text = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i upper = _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble);

	return _mm256_and_si256(
		_mm256_shuffle_epi8(low_table, _mm256_and_si256(text, nibble)),
		_mm256_shuffle_epi8(high_table, upper));
}

__attribute__((target("avx2"))) static const char *scan_wide(
	const char *at, const char *end)
{
	const __m256i l0 = twice(low[0]), l1 = twice(low[1]);
	const __m256i l2 = twice(low[2]), l3 = twice(low[3]);
	const __m256i h0 = twice(high[0]), h1 = twice(high[1]);
	const __m256i h2 = twice(high[2]), h3 = twice(high[3]);
	const __m256i nothing = _mm256_setzero_si256();
	const char *start = at;

	for (; end - at >= 32 + PLACES - 1; at += 32) {
		__m256i hits = _mm256_and_si256(
			_mm256_and_si256(look_up(at, l0, h0), look_up(at + 1, l1, h1)),
			_mm256_and_si256(
				look_up(at + 2, l2, h2), look_up(at + 3, l3, h3)));
		unsigned where =
			~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(hits, nothing));
		uint8_t buckets[32];

		if (!where)
			continue;
		_mm256_storeu_si256((__m256i *)(void *)buckets, hits);
		for (; where; where &= where - 1) {
			int i = __builtin_ctz(where);
			const char *found = confirm(start, at + i, end, buckets[i]);

			if (found)
				return found;
		}
	}
	return scan_plain(start, at, end);
}

__attribute__((target("avx2"))) static size_t lines_wide(const char *at, const char *end)
{
	const __m256i newline = _mm256_set1_epi8('\n');
	size_t lines = 0;

	while (end - at >= 32) {
		__m256i sums = _mm256_setzero_si256();

		/* 255 rounds fit into the bytes of a sum. */
		for (int i = 0; i < 255 && end - at >= 32; i++, at += 32)
			sums = _mm256_sub_epi8(
				sums, _mm256_cmpeq_epi8(
					      _mm256_loadu_si256(
						      (const __m256i *)(const void *)at),
					      newline));
		sums = _mm256_sad_epu8(sums, _mm256_setzero_si256());
		lines += (size_t)_mm256_extract_epi64(sums, 0) +
			 (size_t)_mm256_extract_epi64(sums, 1) +
			 (size_t)_mm256_extract_epi64(sums, 2) +
			 (size_t)_mm256_extract_epi64(sums, 3);
	}
	for (; at < end; at++)
		lines += *at == '\n';
	return lines;
}
#endif

const char *mp_event_scan(const char *at, const char *end)
{
	if (!ready)
		prepare();
#ifdef HAVE_WIDE
	if (wide)
		return scan_wide(at, end);
#endif
	return scan_plain(at, at, end);
}

size_t mp_event_lines(const char *at, const char *end)
{
	size_t lines = 0;

	if (!ready)
		prepare();
#ifdef HAVE_WIDE
	if (wide)
		return lines_wide(at, end);
#endif
	for (; at < end; at++)
		lines += *at == '\n';
	return lines;
}
