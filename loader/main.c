// SPDX-License-Identifier: BSD-2-Clause
/* weft: reads a command line, enters the network namespace, runs the command or the batch. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/audit.h"
#include "loader/commands.h"
#include "loader/confirm.h"
#include "loader/digest.h"
#include "loader/rights.h"
#include "loader/root.h"
#include "loader/system.h"
#include "loader/words.h"

#define BATCH_WORDS_MAX 256

static int run_line(const struct command_line *outer, struct batch *batch, char *line,
		    struct error *e)
{
	char *words[BATCH_WORDS_MAX];
	struct command_line cl = *outer;
	int n = words_split(line, words, BATCH_WORDS_MAX, e);

	if (n <= 0)
		return n;
	cl.batch_file = NULL;
	cl.batch = batch;
	if (cli_parse(&cl, n, words, e))
		return -1;
	if (!cl.command || !(cl.command->flags & COMMAND_BATCH))
		return error_set(
			e, EXIT_USAGE,
			"only add, set, replace and del of configuration objects may stand in a batch");
	return cli_run(&cl, e) < 0 ? -1 : 0;
}

/* Says where in the file it was. */
static int at_line(struct error *e, const char *file, unsigned int number)
{
	return error_set(e, e->exit_code, "%s:%u: %s", file, number, e->text);
}

static int run_batch(struct command_line *cl, struct error *e)
{
	bool standard = !strcmp(cl->batch_file, "-");
	FILE *in = standard ? stdin : fopen(cl->batch_file, "re");
	unsigned int number = 0;
	struct digest digest;
	struct batch *batch;
	char *line = NULL;
	char sum[DIGEST_TEXT];
	size_t size = 0;
	ssize_t len;
	int ret;

	if (!in)
		return error_set(e, EXIT_REFUSED, "batch file %s: %s", cl->batch_file,
				 strerror(errno));
	ret = batch_begin(cl, &batch, e);
	if (ret)
		goto close;
	digest_begin(&digest);
	while (!ret && (len = getline(&line, &size, in)) >= 0) {
		number++;
		digest_add(&digest, line, (size_t)len);
		if (run_line(cl, batch, line, e) < 0)
			ret = at_line(e, cl->batch_file, number);
	}
	if (!ret && ferror(in))
		ret = error_set(e, EXIT_REFUSED, "batch file %s: %s", cl->batch_file,
				strerror(errno));
	digest_end(&digest, sum);
	batch_file(batch, standard ? "standard input" : cl->batch_file, sum);
	if (!ret)
		ret = batch_commit(batch, e);
	batch_end(batch);
	free(line);
close:
	if (!standard)
		fclose(in);
	return ret;
}

/* Before any file is opened, and once more when all is begun. A batch is of commands that write. */
static int narrow(const struct command_line *cl, bool begins, struct error *e)
{
	if (!cl->command)
		return rights_narrow("-b", COMMAND_WRITES, begins, e);
	return rights_narrow(cl->command->object, cl->command->flags, begins, e);
}

static int run(struct command_line *cl, int argc, char **argv, struct error *e)
{
	if (cli_parse(cl, argc, argv, e))
		return -1;
	if (!cl->command && !cl->batch_file) {
		cli_help(stderr, NULL);
		return EXIT_USAGE;
	}
	if (narrow(cl, true, e) || audit_setup(cl->json, e) ||
	    (cl->netns && netns_enter(cl->netns, e)))
		return -1;
	confirm_resume(cl->root);
	if (narrow(cl, false, e))
		return -1;
	return cl->batch_file ? run_batch(cl, e) : cli_run(cl, e);
}

int main(int argc, char **argv)
{
	struct command_line cl = { .root = ROOT_DEFAULT };
	struct error e = { 0 };
	int ret;

	/* Who is let into a directory is said where it is made, not by whoever runs us. */
	umask(022);
	/* A reader of our output that goes away must not kill a command half-way through a change. */
	signal(SIGPIPE, SIG_IGN);
	ret = run(&cl, argc - 1, argv + 1, &e);
	if (ret < 0) {
		fprintf(stderr, "weft: %s\n", e.text);
		return e.exit_code ? e.exit_code : EXIT_REFUSED;
	}
	if (fflush(stdout) && ret == EXIT_DONE) {
		fprintf(stderr, "weft: cannot write the output: %s\n", strerror(errno));
		return EXIT_PARTLY;
	}
	return ret;
}
