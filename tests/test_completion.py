"""Completions: read by the shells themselves."""

import os
import shutil
import subprocess
from pathlib import Path

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

    assert completed(["zeroserve", "completion", ""]) == ["bash", "zsh", "fish"]
    assert "dev-cert" in completed(["zeroserve", "man", "d"])


def test_bash_completes_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "kept.pem").touch()
    monkeypatch.chdir(tmp_path)
    assert completed(["zeroserve", "--sandbox", ""]) == ["auto", "require", "off"]
    assert completed(["zeroserve", "--sandbox", "=", "r"]) == ["require"]
    assert completed(["zeroserve", "--sandbox", "="]) == ["auto", "require", "off"]
    assert sorted(completed(["zeroserve", "--cert", "k"])) == ["kept.pem", "keys"]
    assert completed(["zeroserve", "--cert-dir", "k"]) == ["keys"]
    assert completed(["zeroserve", "--threads", "k"]) == []
    assert completed(["zeroserve", "compile", "--emit", "l"]) == ["llvm"]
    assert sorted(completed(["zeroserve", "ls", "k"])) == ["kept.pem", "keys"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_values(tmp_path: Path) -> None:
    (tmp_path / "c.fish").write_text(script("fish"), encoding="utf-8")
    (tmp_path / "keys").mkdir()
    (tmp_path / "kept.pem").touch()

    def offered(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source c.fish; complete -C '{line}'"],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return sorted(row.partition("\t")[0] for row in done.stdout.splitlines())

    assert offered("zeroserve pa") == ["pack"]
    assert offered("zeroserve pack --no-c") == ["--no-compress"]
    assert offered("zeroserve --sandbox ") == ["auto", "off", "require"]
    assert offered("zeroserve completion ") == ["bash", "fish", "zsh"]
    assert offered("zeroserve --cert k") == ["kept.pem", "keys/"]
    assert offered("zeroserve --cert-dir k") == ["keys/"]


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
