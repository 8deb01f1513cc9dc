# SPDX-License-Identifier: BSD-2-Clause
# The small service functions of the examples, into build/tools/. Included by the top Makefile after selftests/bench/module.mk.

EXAMPLE_TOOLS := build/tools/content_filter build/tools/reflector.bpf.o build/tools/reflector
TOOLS += $(EXAMPLE_TOOLS)

build/tools/content_filter: examples/content_filter/content_filter.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< -o $@

build/tools/reflector.bpf.o: examples/reflector/reflector.bpf.c
	@mkdir -p $(@D)
	$(TOOLS_CLANG) $(TOOLS_BPF_CFLAGS) -c $< -o $@

build/tools/reflector: examples/reflector/reflector.c build/tools/reflector.bpf.o
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< -o $@ -lbpf -lelf -lz
