# SPDX-License-Identifier: BSD-2-Clause
# Tools of the tests and benches, into build/tools/. Included by the top Makefile.

TOOLS_CFLAGS ?= -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror
TOOLS_CLANG ?= clang-19
TOOLS_BPF_CFLAGS ?= -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/$(shell uname -m)-linux-gnu

BENCH_C := $(wildcard selftests/bench/*.c)
BENCH_BPF := $(filter %.bpf.c,$(BENCH_C))
BENCH_TOOLS := $(patsubst selftests/bench/%.c,build/tools/%,$(filter-out %.bpf.c,$(BENCH_C)))
BENCH_OBJECTS := $(patsubst selftests/bench/%.bpf.c,build/tools/%.bpf.o,$(BENCH_BPF))
LIB_TOOLS := $(patsubst selftests/lib/%.c,build/tools/%,$(wildcard selftests/lib/*.c))

TOOLS += $(LIB_TOOLS) $(BENCH_OBJECTS) $(BENCH_TOOLS)

$(LIB_TOOLS): build/tools/%: selftests/lib/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -I. $< -o $@

build/tools/tap_echo: examples/tags.h

$(BENCH_OBJECTS): build/tools/%.bpf.o: selftests/bench/%.bpf.c $(wildcard selftests/bench/*.h)
	@mkdir -p $(@D)
	$(TOOLS_CLANG) $(TOOLS_BPF_CFLAGS) -c $< -o $@

$(BENCH_TOOLS): build/tools/%: selftests/bench/%.c $(wildcard selftests/bench/*.h)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< -o $@ -lbpf -lelf -lz
