# SPDX-License-Identifier: BSD-2-Clause
# The command, its unit tests and the fuzz targets with AddressSanitizer and UBSan, into build/san/: one build for all
# three, so it carries the fuzzer's instrumentation too. Included by the top Makefile.

SAN := build/san
SAN_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# Of the others, some run no code of the command, and some are so long because of their size or number of tries, which
# the fuzzer is better at.
SAN_UNIT_TESTS := $(addprefix $(SAN)/tests/,acl_changes acl_compile compile config_corpus config_grammar config_pairs \
	config_tree lint rules sync)
SAN_TESTS := $(SAN_UNIT_TESTS) $(sort $(wildcard selftests/sanitize/*.sh)) selftests/fuzz/corpus.sh

FUZZ_TARGETS := $(patsubst selftests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard selftests/fuzz/*.c))
FUZZ_SECONDS ?= 60

# Programs are the same in both builds.
.PHONY: sanitize fuzz
sanitize: $(SKELETONS) ## the command, unit tests and fuzz targets with sanitizers, into build/san
	@mkdir -p $(SAN) && ln -sfn ../bpf $(SAN)/bpf
	@$(MAKE) --no-print-directory BUILD=$(SAN) CC=$(CLANG) CFLAGS='$(SAN_FLAGS) -Wno-gnu-variable-sized-type-not-at-end' \
		$(SAN)/weft $(SAN_UNIT_TESTS) $(FUZZ_TARGETS:$(BUILD)/%=$(SAN)/%)

fuzz: sanitize ## minutes of fuzzing: FUZZ_SECONDS (60) a target
	./selftests/fuzz/run.sh $(FUZZ_SECONDS)

$(FUZZ_TARGETS): $(BUILD)/fuzz/%: selftests/fuzz/%.c selftests/fuzz/fuzz.h $(UNIT_OBJECTS)
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -std=gnu11 $(WARNINGS) $< $(UNIT_OBJECTS) -o $@ $(LDLIBS)
