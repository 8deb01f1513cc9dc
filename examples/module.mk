# SPDX-License-Identifier: BSD-2-Clause
# The small service functions of the examples, into build/tools/. Included by the top Makefile after selftests/bench/module.mk.

EXAMPLE_TOOLS := build/tools/content_filter build/tools/rewriter build/tools/reflector.bpf.o build/tools/reflector build/tools/xsk_echo
TOOLS += $(EXAMPLE_TOOLS)

build/tools/content_filter: examples/content_filter/content_filter.c examples/arm.h
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -I. $< -o $@

build/tools/rewriter: examples/rewriter/rewriter.c examples/arm.h
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -I. $< -o $@

build/tools/xsk_echo: examples/xsk_echo/xsk_echo.c examples/tags.h
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -I. $< -o $@ -lbpf -lelf -lz

build/tools/reflector.bpf.o: examples/reflector/reflector.bpf.c
	@mkdir -p $(@D)
	$(TOOLS_CLANG) $(TOOLS_BPF_CFLAGS) -c $< -o $@

build/tools/reflector: examples/reflector/reflector.c build/tools/reflector.bpf.o
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< -o $@ -lbpf -lelf -lz
