"""The wheel in its own environment: every command works, and uninstalling leaves nothing behind.

    python tests/outside/alone.py dist/stability_magic-*.whl

installs it without its extras, runs every_command.py with it in an empty home folder, uninstalls
it, and fails if anything but the log is left. If all is well, it prints nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent

# The one file that stays in the home folder: the user's log.
LOG = ".local/share/stability_magic/log.db"

# Files that other packages put there for any program: matplotlib's list of fonts, and IPython's
# profile with the history.
FILES_OF_OTHERS = (".cache/matplotlib/fontlist-", ".ipython/profile_default/")

# Files that the commands write on request, in the current folder.
REQUESTED_FILES = {
    "other.db",
    "stability-magic-demo/demo.db",
    "stability-magic-demo/usage.png",
    "usage.png",
    "usage.svg",
}


def files_below(folder: Path) -> set[str]:
    """All files below a folder."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


def clean_environment(home: Path, temporary: Path) -> dict[str, str]:
    """The environment of a user who has set no variables."""
    return {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.defpath, "LANG": "C.UTF-8"}


def main(wheel: Path) -> None:
    """Installs, uses and uninstalls the wheel."""
    with tempfile.TemporaryDirectory(prefix="stability-magic-alone-") as name:
        folder = Path(name)
        home, temporary, work = (folder / each for each in ("home", "tmp", "work"))
        for each in (home, temporary, work):
            each.mkdir()
        environment = folder / "environment"
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"

        def pip(*arguments: str | Path) -> None:
            options = ["--quiet", "--disable-pip-version-check"]
            subprocess.run([python, "-m", "pip", *options, *arguments], check=True)

        # Its dependencies stay installed, so that only its own files come and go.
        pip("install", wheel)
        pip("uninstall", "--yes", "stability_magic")
        files_without = files_below(environment)
        assert not [each for each in files_without if "stability" in each], "pip left something"
        pip("install", "--no-deps", wheel)
        assert files_below(environment) > files_without
        subprocess.run(
            [python, HERE / "every_command.py"],
            env=clean_environment(home, temporary),
            cwd=work,
            check=True,
        )
        pip("uninstall", "--yes", "stability_magic")
        files_after = files_below(environment)
        assert files_after == files_without, sorted(files_after ^ files_without)
        assert set(own_files(home)) == {LOG}, sorted(own_files(home))
        assert files_below(work) == REQUESTED_FILES, sorted(files_below(work))
        assert not list(temporary.iterdir()), sorted(temporary.iterdir())


def own_files(home: Path) -> Iterator[str]:
    """The files in the home folder that no other package puts there."""
    return (each for each in files_below(home) if not each.startswith(FILES_OF_OTHERS))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
