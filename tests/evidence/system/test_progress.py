"""Progress of loops that take long: told from within, with the time that is left."""

import sys
from types import SimpleNamespace

from evidence.system import progress


def test_a_loop_tells_how_many_are_done_and_how_long_the_others_take(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(progress, "monotonic", lambda: float(next(clock)))
    said = []
    with progress.listening(said.append):
        assert list(progress.counted("abcde", 5, "leaving out studies")) == list("abcde")
    assert said[-1] == "leaving out studies: 4 of 5, 1 s left"


def test_nobody_is_told_after_the_listener_has_gone():
    said = []
    with progress.listening(said.append):
        progress.tell("reading")
    progress.tell("fitting")
    assert list(progress.counted([1, 2], 2, "splitting")) == [1, 2]
    assert said == ["reading"]


def test_times_left_are_rounded_as_estimates_are():
    assert [progress._time(seconds) for seconds in (0.2, 42.4, 170.0, 9000.0)] == [
        "1 s",
        "42 s",
        "3 min",
        "2 h",
    ]


def test_a_network_with_counts_tells_what_it_integrates(monkeypatch):
    import evidence
    from analysis.plan import run_network

    monkeypatch.setattr(progress, "OFTEN", 0.0)
    monkeypatch.setattr("analysis.network.model.integrals._AT_ONCE", 10_000)
    said = []
    with evidence.open("smoking") as db:
        run_network(db, outcome="cessation", measure="OR", engine="counts", model="common", draws=256,
                    leave_one_out=True, progress=said.append)  # fmt: skip
    assert any(text.startswith("integrating studies 1 to") for text in said)
    assert any(text.startswith("leaving out studies: 3 of 24") for text in said)


class Shell:
    """What runs a notebook's cells, as far as the line below a cell needs it."""

    def __init__(self):
        self.events = self
        self.ends = []

    def register(self, event, function):
        assert event == "post_run_cell"
        self.ends.append(function)


def test_in_a_notebook_a_line_below_the_cell_says_what_is_done_and_goes(monkeypatch, capsys):
    from evidence.system import notebook

    shell = Shell()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(notebook, "_LINE", None)
    monkeypatch.setattr(progress, "OFTEN", 0.0)
    progress.tell("reading the network")
    assert list(progress.counted([1, 2], 2, "splitting")) == [1, 2]
    assert capsys.readouterr().err == f"\rreading the network\r{'splitting: 1 of 2':19}"
    for end in shell.ends:
        end(None)
    assert capsys.readouterr().err == f"\r{'':17}\r"
    with progress.listening([].append):  # whoever is set comes first
        progress.tell("fitting")
    assert capsys.readouterr().err == ""
