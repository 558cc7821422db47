import subprocess
import sys

import pytest

from dp_spark.held_back import held_back_stderr
from dp_spark.references import resolve_reference


def test_what_is_written_to_the_descriptor_is_held_back(capfd):
    with held_back_stderr():
        subprocess.run([sys.executable, "-c", "import os; os.write(2, b'noise')"], check=True)
    sys.stderr.write("afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_it_is_written_after_all_if_the_block_raises(capfd):
    code = "import os, sys; os.write(2, b'the cause'); sys.exit(1)"
    with pytest.raises(subprocess.CalledProcessError), held_back_stderr():
        subprocess.run([sys.executable, "-c", code], check=True)
    assert capfd.readouterr().err == "the cause"


def test_modules_of_users_may_write(tmp_path, monkeypatch, capfd):
    (tmp_path / "my_chatty_lfs.py").write_text("import sys; print('loading', file=sys.stderr); LFS = [1]")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert resolve_reference("my_chatty_lfs:LFS") == [1]
    assert capfd.readouterr().err == "loading\n"
