"""Groups of commands that are imported when one is called: asking for help costs next to nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands stand in other modules, imported when one is asked for.

    Parameters
    ----------
    table : dict of str to str
        ``module:attribute`` of each command, by name.
    """

    def __init__(self, *args: Any, table: dict[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.table = table

    def list_commands(self, context: click.Context) -> list[str]:
        """Names of the commands, in the order of the table."""
        return list(self.table)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in self.table:
            return None
        module, _, attribute = self.table[name].partition(":")
        return getattr(import_module(module), attribute)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names, or say which one was probably meant."""
        if arguments and arguments[0] not in self.table and not arguments[0].startswith("-"):
            from evidence.names import nearest

            close = nearest(arguments[0], self.table)
            hint = f" Did you mean {close!r}?" if close else ""
            context.fail(f"No such command {arguments[0]!r}.{hint}")
        return super().resolve_command(context, arguments)
