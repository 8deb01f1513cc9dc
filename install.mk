# SPDX-License-Identifier: BSD-2-Clause
# What goes where, and away again. Included by the top Makefile.

PREFIX ?= /usr/local
# Neither follows PREFIX: where configuration is looked for is in the units and the manual.
CONFDIR := /etc/weft
SBINDIR := $(PREFIX)/sbin
MANDIR := $(PREFIX)/share/man/man8
# systemd looks there for a PREFIX of /usr and of /usr/local.
UNITDIR := $(PREFIX)/lib/systemd/system
COMPLETIONDIR := $(PREFIX)/share/bash-completion/completions

PAGES := $(wildcard docs/man/*.8)
UNITS := weft.service weft-agent.service

install: all ## weft, its manual, units and completion into $(PREFIX); /etc/weft
	install -D -m 755 $(BUILD)/weft $(DESTDIR)$(SBINDIR)/weft
	install -d $(DESTDIR)$(MANDIR) $(DESTDIR)$(UNITDIR)
	install -m 644 $(PAGES) $(DESTDIR)$(MANDIR)
	for unit in $(UNITS); do sed 's|@SBINDIR@|$(SBINDIR)|' systemd/$$unit.in > $(DESTDIR)$(UNITDIR)/$$unit && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	install -D -m 644 completion/weft.bash $(DESTDIR)$(COMPLETIONDIR)/weft
	[ -d $(DESTDIR)$(CONFDIR) ] || install -d -m 750 $(DESTDIR)$(CONFDIR)
	install -m 644 systemd/README $(DESTDIR)$(CONFDIR)/README

uninstall: ## and away again; what others put into /etc/weft stays
	rm -f $(DESTDIR)$(SBINDIR)/weft $(addprefix $(DESTDIR)$(MANDIR)/,$(notdir $(PAGES)))
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS)) $(DESTDIR)$(COMPLETIONDIR)/weft $(DESTDIR)$(CONFDIR)/README
	[ ! -d $(DESTDIR)$(CONFDIR) ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(CONFDIR)
