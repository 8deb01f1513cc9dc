# SPDX-License-Identifier: BSD-2-Clause
# make help lists the targets.

CC ?= gcc
CLANG ?= clang-19
BPFTOOL ?= bpftool
CFLAGS ?= -O2 -g
BUILD := build

WARNINGS := -Wall -Wextra -Werror
CPPFLAGS += -D_GNU_SOURCE -I. -Iinclude -I$(BUILD)/bpf
LDLIBS := -lbpf -lelf -lz -lyaml -ljansson -lmnl -lnettle -lcap-ng -lm

# A hook is compiled once for TC and once for XDP (bpf/lib/weft.h).
BPF_OBJECTS := port_tc port_xdp underlay_tc underlay_xdp sf_tc sf_xdp guard_tc handover_tc handover_xdp clock tell
# For size: a program that runs once a packet is mostly read anew from a far cache, so fewer bytes are faster (5 to 15 %).
BPF_FLAGS := -Os -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function -target bpf -mcpu=v3 \
	-ffile-prefix-map=$(CURDIR)=. -I. -Ibpf
BPF_HEADERS := vmlinux.h $(wildcard include/*.h maps/*.h bpf/lib/*.h bpf/stages/*.h)

LOADER_SOURCES := $(wildcard loader/*.c loader/acl/*.c loader/config/*.c agent/*.c)
LOADER_OBJECTS := $(LOADER_SOURCES:%.c=$(BUILD)/%.o)
SKELETONS := $(BPF_OBJECTS:%=$(BUILD)/bpf/%.skel.h)
TOOLS :=

.PHONY: all demo check unit net verifier kernels net-guest functions bench bench-safe bench-firewall bench-chains format lint install uninstall clean help
# make V=1 shows the commands themselves.
V ?= 0
Q := $(if $(filter 0,$(V)),@,)
say = $(if $(filter 0,$(V)),@printf '  %-5s %s\n' '$(1)' '$@',)

.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/weft ## the command, its programs and the test tools

include selftests/bench/module.mk
include examples/module.mk
include selftests/unit/module.mk
include selftests/rules/module.mk
include selftests/verifier/module.mk
include selftests/upgrade/module.mk
include selftests/sanitize/module.mk

all: $(TOOLS)

NET_TESTS := $(sort $(wildcard selftests/net/*.sh))
VERIFIER_TESTS := $(sort $(wildcard selftests/verifier/*.sh))
KERNEL_TESTS := selftests/kernels/linux-6.1 selftests/kernels/linux-6.12
GUEST_NET_TESTS := selftests/kernels/net-6.12
FUNCTION_TESTS := $(sort $(wildcard selftests/functions/*.sh))
CHECKS = $(UNIT_TESTS) $(VERIFIER_TESTS) selftests/rules/judge.sh selftests/lib/selftest.sh $(SAN_TESTS) $(FUNCTION_TESTS) \
	$(NET_TESTS) $(KERNEL_TESTS)

$(BUILD)/bpf/%_xdp.o: bpf/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_FLAGS) -DFLAVOUR_XDP -c $< -o $@

$(BUILD)/bpf/%_tc.o: bpf/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_FLAGS) -c $< -o $@

$(BUILD)/bpf/clock.o $(BUILD)/bpf/tell.o: $(BUILD)/bpf/%.o: bpf/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_FLAGS) -c $< -o $@

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

# Which programs are in the command: `load` labels a root with it.
$(BUILD)/bpf/build_hash.h: $(BPF_OBJECTS:%=$(BUILD)/bpf/%.o)
	$(call say,ID)
	$(Q)cd $(BUILD)/bpf && cat $(BPF_OBJECTS:%=%.o) | sha256sum | sed 's/^\(.\{12\}\).*/#define WEFT_BUILD_HASH "\1"/' > $(@F)

$(BUILD)/loader/%.o: loader/%.c $(SKELETONS) $(BUILD)/bpf/build_hash.h
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) -MMD -MP -c $< -o $@

$(BUILD)/agent/%.o: agent/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) -MMD -MP -c $< -o $@

$(BUILD)/weft: $(LOADER_OBJECTS)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(LDLIBS)

-include $(LOADER_OBJECTS:.o=.d)

demo: all ## the main job on two hosts and two tenants, shown (./setup demo installs first)
	./selftests/demo/demo.sh

check: all upgrade-wefts sanitize ## every test
	./selftests/run -j 2 -t 600 $(CHECKS)

unit: all ## configuration, rules, layout, and packets through single programs
	./selftests/run -j 2 $(UNIT_TESTS) selftests/rules/judge.sh

net: all upgrade-wefts ## real packets between network namespaces
	./selftests/run -j 2 -t 600 $(NET_TESTS)

functions: all ## functions of others in the wire: Suricata (./setup check installs it)
	./selftests/run -t 300 $(FUNCTION_TESTS)

verifier: all ## every program loads, with both values of every switch
	./selftests/run $(VERIFIER_TESTS)

kernels: all upgrade-wefts ## Debian's own kernels under qemu
	./selftests/run $(KERNEL_TESTS)

net-guest: all ## the net tests on another kernel, in an emulated machine (half an hour)
	./selftests/run $(GUEST_NET_TESTS)

bench: all ## figures against the kernel's own overlay and plain veth, name=value
	./selftests/bench/bench.sh

bench-firewall: all ## conntrack and rules at size, beside the kernel; name=value
	./selftests/bench/firewall.sh

bench-chains: all ## functions in the wire: what they cost, and what their deaths do; name=value
	./selftests/bench/chains.sh

bench-safe: all ## what it costs and risks to use weft: kills, upgrades, confirmation, boot; name=value
	./selftests/bench/safe.sh

# Headers and programs have their comments aligned by hand, which clang-format undoes.
format: ## clang-format over the command's sources
	clang-format -i loader/*.c loader/acl/*.c loader/config/*.c agent/*.c

lint: ## shell and C linters: cppcheck and shellcheck
	bash -n setup selftests/run selftests/lib/*.sh selftests/net/*.sh selftests/demo/*.sh \
		completion/weft.bash
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr -I. -Iinclude \
		--include=selftests/lib/cppcheck.h --suppress=missingInclude --suppress=ctuuninitvar loader agent
	shellcheck -S warning -e SC2034,SC2154,SC1007 setup selftests/run selftests/*/*.sh completion/weft.bash

vmlinux.h: bpf/vmlinux.py ## cut the kernel types we use out of a kernel's BTF
	@[ -s $@ ] || { [ -r /sys/kernel/btf/vmlinux ] || { echo "no BTF in this kernel" >&2; exit 1; }; \
	$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c | python3 bpf/vmlinux.py > $@; }

include install.mk

clean: ## all that was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
