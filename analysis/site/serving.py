"""Show a site on this machine: for this machine alone."""

from __future__ import annotations

import functools
import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".csv": "text/csv",
    ".html": "text/html",
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, says nothing of it, and depends on no table of types of the machine."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | _TYPES

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def end_headers(self) -> None:
        """Have the browser ask again for what may have been written anew."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


@contextmanager
def serve(folder: str | Path, port: int = 0) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve a folder on the loopback address.

    Parameters
    ----------
    folder : path
    port : int
        0 for any that is free.

    Yields
    ------
    http.server.ThreadingHTTPServer
        Bound to 127.0.0.1; its ``serve_forever`` serves until Ctrl-C.
    """
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        yield server
