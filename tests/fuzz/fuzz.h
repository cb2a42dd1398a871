/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - a fuzz target is one file that ends with
 *
 *	MP_FUZZ_MAIN
 *
 * With --enable-fuzzing libFuzzer brings main(); otherwise the program replays its corpus
 * (tests/fuzz/corpus/TARGET, or the files and directories named on its command line) as a
 * test that speaks TAP: no crash, no sanitizer report, no hang.
 */
#ifndef MP_FUZZ_H
#define MP_FUZZ_H

#include <stddef.h>
#include <stdint.h>

typedef int (*mp_fuzz_target)(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int mp_fuzz_replay(int argc, char **argv, mp_fuzz_target target);

#ifdef MP_FUZZING_ENGINE
#define MP_FUZZ_MAIN
#else
#define MP_FUZZ_MAIN                                                                     \
	int main(int argc, char **argv)                                                  \
	{                                                                                \
		return mp_fuzz_replay(argc, argv, LLVMFuzzerTestOneInput);               \
	}
#endif

#endif
