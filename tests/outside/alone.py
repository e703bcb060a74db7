"""The wheel alone in an environment of its own: every command works, and uninstalling is clean.

    python tests/outside/alone.py dist/stability_magic-*.whl

installs it without its extras, has every_command.py use it in an empty home, uninstalls it, and
fails where anything but the log is left. It says nothing where all is well.
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

# What is in the home folder afterwards: the user's log.
LOG = ".local/share/stability_magic/log.db"

# And what others put there, as they do for every program: matplotlib which fonts there are, and
# IPython its profile with the history.
OF_OTHERS = (".cache/matplotlib/fontlist-", ".ipython/profile_default/")

# What was asked for by its name, in the folder where it was asked for.
ASKED_FOR = {
    "other.db",
    "stability-magic-demo/demo.db",
    "stability-magic-demo/usage.png",
    "usage.png",
    "usage.svg",
}


def files(folder: Path) -> set[str]:
    """All files below it."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


def clean(home: Path, temporary: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing."""
    return {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.defpath, "LANG": "C.UTF-8"}


def main(wheel: Path) -> None:
    """Installs, uses and uninstalls it."""
    with tempfile.TemporaryDirectory(prefix="stability-magic-alone-") as name:
        place = Path(name)
        home, temporary, work = (place / each for each in ("home", "tmp", "work"))
        for each in (home, temporary, work):
            each.mkdir()
        environment = place / "environment"
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"

        def pip(*arguments: str | Path) -> None:
            options = ["--quiet", "--disable-pip-version-check"]
            subprocess.run([python, "-m", "pip", *options, *arguments], check=True)

        # What it needs stays installed, so that only its own files come and go.
        pip("install", wheel)
        pip("uninstall", "--yes", "stability_magic")
        without = files(environment)
        assert not [each for each in without if "stability" in each], "pip left something"
        pip("install", "--no-deps", wheel)
        assert files(environment) > without
        subprocess.run(
            [python, HERE / "every_command.py"],
            env=clean(home, temporary),
            cwd=work,
            check=True,
        )
        pip("uninstall", "--yes", "stability_magic")
        assert files(environment) == without, sorted(files(environment) ^ without)
        assert set(of_nobody(home)) == {LOG}, sorted(of_nobody(home))
        assert files(work) == ASKED_FOR, sorted(files(work))
        assert not list(temporary.iterdir()), sorted(temporary.iterdir())


def of_nobody(home: Path) -> Iterator[str]:
    """The files in the home folder that no other package is known to put there."""
    return (each for each in files(home) if not each.startswith(OF_OTHERS))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
