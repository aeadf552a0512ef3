"""The command line: one file a verb, loaded when the verb is used, so that `figway --help` stays quick.

Each file exports `command`. Exit codes: 0 ok, 1 a finding, 2 usage; errors go to stderr in one sentence.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

# verb → (module, one sentence for the list of verbs)
VERBS: dict[str, tuple[str, str]] = {
    "apply": ("apply", "Make the workspace what is served."),
    "agent": ("agent", "Stop agents, runs and operations, and let them go on."),
    "approvals": ("approvals", "List what waits for another person's yes, and decide on it."),
    "diff": ("diff", "Show what differs between two snapshots."),
    "history": ("history", "Show the snapshots, newest first."),
    "plan": ("plan", "Show what applying the workspace would do."),
    "pull": ("pull", "Write the stages that are served back into the workspace."),
    "route": ("route", "List route groups, flip them to their replacement and back."),
    "adapter": ("adapter", "Write an adapter of a kind of your own, and check it."),
    "backup": ("backup", "Copy the gateway's state into one file, while it runs."),
    "audit": ("audit", "Search, verify and export the audit; erase what it keeps of a person."),
    "cache": ("cache", "Let go of what is kept of the systems' answers."),
    "call": ("call", "Call an operation straight through its binding, without the gateway's HTTP side."),
    "changes": ("changes", "Show what is captured of upstreams, prepare databases for it, and load anew."),
    "check": ("check", "Check a workspace offline: every problem, with file, line and key."),
    "decode": ("decode", "Decode a file of COBOL records into JSON lines, CSV or Parquet."),
    "demo": ("demo", "Start the demo estate and the gateway in front of it."),
    "readiness": ("readiness", "Answer four questions about every upstream and route."),
    "doctor": ("doctor", "Check this machine and every upstream, live."),
    "events": ("events", "Follow what changes in the systems."),
    "export": ("export", "Print the tools for programs of OpenAI, Anthropic, Google and others."),
    "import": ("import_", "Import what a legacy system says about itself: contract, bindings, policy and tests."),
    "init": ("init", "Start a workspace in an empty folder and print a first API key."),
    "key": ("key", "Create, list and revoke API keys; rotate the gateway's own."),
    "lineage": ("lineage", "Tell where each field of a call's reply came from."),
    "policy": ("policy", "Explain which policies decide on a call."),
    "schema": ("schema", "Print the JSON Schemas of the workspace's files."),
    "serve": ("serve", "Serve a workspace."),
    "token": ("token", "Make a token of the development issuer, or revoke an issuer's token."),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"gateway.cli.{VERBS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, sentence) for verb, (_, sentence) in sorted(VERBS.items())])


app = _Verbs(
    name="figway",
    help="A strangler-fig API gateway: governed REST routes in front of systems that have no usable API.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script `figway`."""
    app.main(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="figway")
