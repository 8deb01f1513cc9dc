# SPDX-License-Identifier: BSD-2-Clause
# Rule sets, their judge, and the classifier alone, into build/tools/. Included by the top Makefile.

RULESET := selftests/rules/ruleset.c selftests/rules/ruleset_judge.c
CLASSIFY_SOURCES := selftests/rules/classify.c $(RULESET)
CLASSIFY_LIB := $(patsubst %.c,$(BUILD)/%.o,$(wildcard loader/acl/*.c) loader/alloc.c loader/error.c)

TOOLS += build/tools/classify

build/tools/classify.bpf.o build/tools/admit.bpf.o: build/tools/%.bpf.o: selftests/rules/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_FLAGS) -c $< -o $@

build/tools/classify: $(CLASSIFY_SOURCES) selftests/rules/ruleset.h $(CLASSIFY_LIB) build/tools/classify.bpf.o \
		build/tools/admit.bpf.o
	@mkdir -p $(@D)
	$(call say,TOOL)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) $(CLASSIFY_SOURCES) $(CLASSIFY_LIB) -o $@ $(LDLIBS)

# In the world of the packet tests.
TOOLS += build/tools/first

build/tools/first: selftests/rules/first.c $(RULESET) selftests/rules/ruleset.h $(CLASSIFY_LIB) \
		$(BUILD)/loader/rules_linear.o $(PACKET_LIB)
	@mkdir -p $(@D)
	$(call say,TOOL)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) -Wno-missing-field-initializers selftests/rules/first.c \
		$(RULESET) $(CLASSIFY_LIB) $(BUILD)/loader/rules_linear.o $(PACKET_LIB) -o $@ -lcmocka $(LDLIBS)

TOOLS += build/tools/others

build/tools/others: selftests/rules/others.c $(RULESET) selftests/rules/ruleset.h $(CLASSIFY_LIB)
	@mkdir -p $(@D)
	$(call say,TOOL)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=gnu11 $(WARNINGS) selftests/rules/others.c $(RULESET) \
		$(CLASSIFY_LIB) -o $@ $(LDLIBS)
