# SPDX-License-Identifier: BSD-2-Clause
# Unit tests: an executable a file, into build/tests/. Included by the top Makefile.

UNIT_TESTS := $(patsubst selftests/unit/%.c,$(BUILD)/tests/%,$(wildcard selftests/unit/*.c))
UNIT_OBJECTS := $(filter-out $(BUILD)/loader/main.o,$(LOADER_OBJECTS))

all: $(UNIT_TESTS)

$(UNIT_TESTS): $(BUILD)/tests/%: selftests/unit/%.c $(UNIT_OBJECTS) $(wildcard selftests/unit/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) $< $(UNIT_OBJECTS) -o $@ -lcmocka $(LDLIBS)
