# SPDX-License-Identifier: BSD-2-Clause
# Other builds of the command, which the tests of upgrades load: $(BUILD)/upgrade/NAME/weft; from a copy of the sources that
# selftests/upgrade/NAME.sh has edited, or from what selftests/upgrade/NAME.tar.xz has kept. Included by the top Makefile.

UPGRADE_EDITED := $(patsubst selftests/upgrade/%.sh,$(BUILD)/upgrade/%/weft,$(wildcard selftests/upgrade/*.sh))
UPGRADE_KEPT := $(patsubst selftests/upgrade/%.tar.xz,$(BUILD)/upgrade/%/weft,$(wildcard selftests/upgrade/*.tar.xz))
UPGRADE_SOURCES := Makefile $(wildcard *.mk */*.mk selftests/*/*.mk) $(wildcard vmlinux.h bpf/*.c bpf/*/*.h include/*.h maps/*.h \
	loader/*.[ch] loader/*/*.[ch] agent/*.[ch])

.PHONY: upgrade-wefts
upgrade-wefts: $(UPGRADE_EDITED) $(UPGRADE_KEPT)

# In $(@D)/tree are sources.
define build_upgrade
$(Q)$(MAKE) --no-print-directory -C $(@D)/tree CFLAGS=-O1 BUILD=build build/weft > $(@D)/log 2>&1 || { cat $(@D)/log; false; }
$(Q)mv $(@D)/tree/build/weft $@ && rm -rf $(@D)/tree
endef

$(UPGRADE_EDITED): $(BUILD)/upgrade/%/weft: selftests/upgrade/%.sh $(UPGRADE_SOURCES)
	$(call say,TREE)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)/tree && cp --parents $(UPGRADE_SOURCES) $(@D)/tree
	$(Q)$< $(@D)/tree
	$(build_upgrade)

$(UPGRADE_KEPT): $(BUILD)/upgrade/%/weft: selftests/upgrade/%.tar.xz
	$(call say,TREE)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)/tree && tar -xJf $< -C $(@D)/tree
	$(build_upgrade)
