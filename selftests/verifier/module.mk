# SPDX-License-Identifier: BSD-2-Clause
# What the verifier tests load with, and what the verifier must refuse. Included by the top Makefile.

VERIFY_BAD := $(patsubst selftests/verifier/bad/%.bpf.c,$(BUILD)/verifier/%.o,$(wildcard selftests/verifier/bad/*.bpf.c))

TOOLS += $(BUILD)/tools/verify $(VERIFY_BAD)

$(BUILD)/tools/verify: selftests/verifier/verify.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) $< -o $@ -lbpf -lelf -lz

$(BUILD)/verifier/%.o: selftests/verifier/bad/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_FLAGS) -c $< -o $@
