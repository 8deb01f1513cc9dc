# SPDX-License-Identifier: BSD-2-Clause
# Unit tests: an executable a file, into build/tests/. Included by the top Makefile.

UNIT_TESTS := $(patsubst selftests/unit/%.c,$(BUILD)/tests/%,$(wildcard selftests/unit/*.c))
UNIT_OBJECTS := $(filter-out $(BUILD)/loader/main.o,$(LOADER_OBJECTS))
PACKET_TESTS := $(filter $(BUILD)/tests/packets_%,$(UNIT_TESTS))
PACKET_LIB := $(patsubst selftests/unit/lib/%.c,$(BUILD)/tests/lib/%.o,$(wildcard selftests/unit/lib/*.c))

all: $(UNIT_TESTS)

$(filter-out $(PACKET_TESTS),$(UNIT_TESTS)): $(BUILD)/tests/%: selftests/unit/%.c $(UNIT_OBJECTS) \
		$(wildcard selftests/unit/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) $< $(UNIT_OBJECTS) -o $@ -lcmocka $(LDLIBS)

# The tests of packets run the programs themselves, and need nothing of the loader. Rows of their tables may be short.
$(PACKET_TESTS): WARNINGS += -Wno-missing-field-initializers
$(BUILD)/tests/lib/%.o: selftests/unit/lib/%.c $(wildcard selftests/unit/lib/*.h include/*.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) -c $< -o $@

$(PACKET_TESTS): $(BUILD)/tests/%: selftests/unit/%.c $(PACKET_LIB) $(BPF_OBJECTS:%=$(BUILD)/bpf/%.o) \
		$(wildcard selftests/unit/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) $< $(PACKET_LIB) -o $@ -lcmocka -lbpf -lelf -lz -lm
