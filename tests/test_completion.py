"""Completions: read by the shells themselves."""

import shutil
import subprocess

import pytest
from support.server import command


def script(shell: str) -> str:
    done = command("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def completed(line: list[str]) -> list[str]:
    """What bash offers for the last word."""
    words = " ".join(f"'{word}'" for word in line)
    ask = f"COMP_WORDS=({words}); COMP_CWORD={len(line) - 1}; _zeroserve"
    done = subprocess.run(
        ["bash", "-c", f'{script("bash")}\n{ask}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_bash() -> None:
    assert completed(["zeroserve", "pa"])[0] == "pack"
    assert completed(["zeroserve", "pack", "--no-c"]) == ["--no-compress"]
    assert completed(["zeroserve", "site.tar", "--tls-a"]) == ["--tls-addr"]
    assert "--no-watch" in completed(["zeroserve", "--no-"])
    assert "--header-timeout-s" in completed(["zeroserve", "--header-t"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_takes_it(shell: str) -> None:
    text = script(shell)
    assert "dev-cert" in text and "Traceback" not in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_shells() -> None:
    done = command("completion", "tcsh")
    assert done.returncode == 2 and "tcsh" in done.stderr
