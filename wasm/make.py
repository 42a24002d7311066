"""Make ``engine.js``: DuckDB for browsers in one file, from the packages that ``package-lock.json`` pins.

``python wasm/make.py DIR`` writes it, and the licences of what is in it, into a folder.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
IN_IT = ("apache-arrow", "flatbuffers", "tslib")
"""Packages of which the engine has parts, beside DuckDB-WASM, whose package carries no licence file."""


def make(folder: Path) -> None:
    """Write ``engine.js`` and ``LICENSES.txt``.

    The file is a plain script, so that a page opened from a disk can load it: it gives the page the client
    (`duckdb`), and as base64 of gzip the code of the worker and of WebAssembly (`evidenceEngine`).

    Parameters
    ----------
    folder : Path
        Made where it is missing.

    Raises
    ------
    SystemExit
        If there is no npm, or a package does not come, or is not what the lock says.
    """
    if shutil.which("npm") is None:
        raise SystemExit("npm is needed to make the engine of `evidence site`: install Node.js 18 or newer.")
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, work)
        shutil.copytree(HERE / "src", work / "src")
        _run(["npm", "ci", "--no-progress"], work)  # It checks the SHA-512 sum of every package.
        bundle = ["npx", "--no-install", "esbuild", "src/duckdb.js", "--bundle", "--minify", "--format=iife"]
        _run([*bundle, "--global-name=duckdb", "--outfile=client.js"], work)
        packages = work / "node_modules"
        built = packages / "@duckdb" / "duckdb-wasm" / "dist"
        engine = {
            "version": json.loads((built.parent / "package.json").read_text(encoding="utf-8"))["version"],
            "wasm": _packed((built / "duckdb-eh.wasm").read_bytes()),
            "worker": _packed((built / "duckdb-browser-eh.worker.js").read_bytes()),
        }
        client = (work / "client.js").read_text(encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        script = f"{client}\nglobalThis.duckdb = duckdb;\nglobalThis.evidenceEngine = {json.dumps(engine)};\n"
        (folder / "engine.js").write_text(script, encoding="utf-8")
        (folder / "LICENSES.txt").write_text(_licences(packages), encoding="utf-8")


def _run(command: list[str], place: Path) -> None:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _licences(packages: Path) -> str:
    parts = [(file.stem, file) for file in sorted((HERE / "licences").glob("*.txt"))]
    for name in IN_IT:
        files = sorted([*(packages / name).glob("LICENSE*"), *(packages / name).glob("NOTICE*")])
        parts += [(name, file) for file in files]
    return (
        "\n\n".join(f"=== {name}\n\n{file.read_text(encoding='utf-8').strip()}" for name, file in parts)
        + "\n"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    make(Path(sys.argv[1]))
