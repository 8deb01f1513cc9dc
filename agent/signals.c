// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/signals.h"

static int ready(struct source *source, struct error *e)
{
	struct signals *s = source->data;
	struct signalfd_siginfo info;

	(void)e;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			s->reload(s);
		else
			s->loop->stop = true;
	}
	return 0;
}

int signals_open(struct signals *s, struct loop *loop, struct error *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->loop = loop;
	s->source = (struct source){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				     .ready = ready,
				     .data = s };
	if (s->source.fd < 0)
		return error_set(e, EXIT_REFUSED, "agent: signalfd: %s", strerror(errno));
	return loop_add(loop, &s->source, e);
}

void signals_close(struct signals *s)
{
	loop_drop(s->loop, &s->source);
}
