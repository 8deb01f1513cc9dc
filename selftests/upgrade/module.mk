# SPDX-License-Identifier: BSD-2-Clause
# Other builds of the command, which the tests of upgrades load: $(BUILD)/upgrade/NAME/weft, from a copy of the sources that
# selftests/upgrade/NAME.sh has edited. Included by the top Makefile.

UPGRADE_WEFTS := $(patsubst selftests/upgrade/%.sh,$(BUILD)/upgrade/%/weft,$(wildcard selftests/upgrade/*.sh))
UPGRADE_SOURCES := $(filter Makefile %.mk,$(MAKEFILE_LIST)) $(wildcard vmlinux.h bpf/*.c bpf/*/*.h include/*.h maps/*.h \
	loader/*.[ch] loader/*/*.[ch])

.PHONY: upgrade-wefts
upgrade-wefts: $(UPGRADE_WEFTS)

$(UPGRADE_WEFTS): $(BUILD)/upgrade/%/weft: selftests/upgrade/%.sh $(wildcard selftests/upgrade/*.patch) $(UPGRADE_SOURCES)
	$(call say,TREE)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)/tree && cp --parents $(UPGRADE_SOURCES) $(@D)/tree
	$(Q)$< $(@D)/tree
	$(Q)$(MAKE) --no-print-directory -C $(@D)/tree CFLAGS=-O1 BUILD=build build/weft > $(@D)/log 2>&1 || { cat $(@D)/log; false; }
	$(Q)mv $(@D)/tree/build/weft $@ && rm -rf $(@D)/tree
