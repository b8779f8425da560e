"""The guarded child: it answers, it is stopped, it comes back, and it never outlives its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.expression_cel import EvaluationFailed
from engine.expressions import ExpressionError, Scope, compile_expression
from engine.sandbox import CHILDREN, Sandbox, SandboxStopped

ROOT = Path(__file__).resolve().parents[2]
SLOW = "v__0.map(a, v__0.map(b, v__0.map(c, a)))"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def slow_data() -> dict[str, Any]:
    return {"v__0": list(range(9_000))}


def test_values_and_errors_come_back(sandbox: Sandbox) -> None:
    assert sandbox.evaluate("v__0.map(i, i * 2)", {"v__0": [1, 2.5, 3]}) == [2, 5.0, 6]
    assert sandbox.evaluate("v__0", {"v__0": {"ü": ["\x01", None, True]}}) == {"ü": ["\x01", None, True]}
    with pytest.raises(EvaluationFailed, match="Key not found"):
        sandbox.evaluate("v__0.map(i, i['x'])", {"v__0": [{}]})

    assert len(sandbox.pids()) == 1


def test_what_is_late_is_stopped_and_the_next_one_works(sandbox: Sandbox) -> None:
    sandbox.evaluate("1", {})
    (first,) = sandbox.pids()

    with pytest.raises(SandboxStopped) as stopped:
        sandbox.evaluate(SLOW, slow_data())

    assert stopped.value.reason == "time"
    assert sandbox.pids() == []
    assert sandbox.evaluate("1 + 1", {}) == 2
    assert sandbox.pids() != [first]


def test_what_needs_too_much_memory_is_stopped_and_the_next_one_works(sandbox: Sandbox) -> None:
    text = "[v__0 + v__0].map(a, [a + a].map(b, [b + b].map(c, [c + c].map(d, [d + d + d + d + d + d + d + d]))))"

    with pytest.raises((SandboxStopped, EvaluationFailed)):
        sandbox.evaluate(text, {"v__0": "x" * (8 << 20)})

    assert sandbox.evaluate("1 + 1", {}) == 2


def test_too_much_to_hand_over_is_refused_before_sending(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxStopped) as stopped:
        sandbox.evaluate("v__0", {"v__0": "x" * (65 << 20)})

    assert stopped.value.reason == "size"
    assert sandbox.pids() == []


def test_a_child_killed_between_evaluations_is_replaced(sandbox: Sandbox) -> None:
    sandbox.evaluate("1", {})
    (pid,) = sandbox.pids()
    kill_and_wait(pid)

    assert sandbox.evaluate("[1].map(x, x + 1)", {}) == [2]
    assert sandbox.pids() != [pid]


def test_a_child_killed_during_an_evaluation_is_replaced(sandbox: Sandbox) -> None:
    sandbox.evaluate("1", {})
    (pid,) = sandbox.pids()
    os.kill(pid, signal.SIGSTOP)  # it takes the question and does not answer
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(sandbox.evaluate("[1].map(x, x + 1)", {})))
    asking.start()
    os.kill(pid, signal.SIGKILL)
    asking.join(30)

    assert answers == [[2]]


def test_a_child_that_does_not_answer_is_late(sandbox: Sandbox) -> None:
    sandbox.evaluate("1", {})
    (pid,) = sandbox.pids()
    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(SandboxStopped) as stopped:
        sandbox.evaluate("1", {})

    assert stopped.value.reason == "time"
    assert sandbox.evaluate("2", {}) == 2


def test_a_stopped_expression_is_an_error_that_teaches() -> None:
    looping = compile_expression("input.map(a, input.map(b, input.map(c, a)))")

    with pytest.raises(ExpressionError, match=r"takes too long|loops over more than"):
        looping.evaluate(Scope(input=list(range(9_000))))

    assert compile_expression("[1].map(x, x + 1)").evaluate(Scope()) == [2]


def test_the_child_has_no_environment_of_ours() -> None:
    script = (
        "import os; os.environ['AUTERITY_SECRET_KEY'] = 's3cret'\n"
        "from engine.sandbox import SANDBOX\n"
        "SANDBOX.evaluate('1', {})\n"
        "print('s3cret' in open(f'/proc/{SANDBOX.pids()[0]}/environ').read())\n"
    )

    assert run(script) == "False"


def test_children_are_at_most_two_and_shared_by_all_threads(sandbox: Sandbox) -> None:
    wrong: list[Any] = []

    def work(thread: int) -> None:
        for turn in range(50):
            if sandbox.evaluate("v__0.map(i, i + v__1)", {"v__0": [turn, 1], "v__1": thread}) != [
                turn + thread,
                1 + thread,
            ]:
                wrong.append((thread, turn))

    run_threads(work, 6)

    assert wrong == []
    assert 1 <= len(sandbox.pids()) <= CHILDREN


def test_six_threads_times_500_evaluations_are_all_right() -> None:
    sources = [
        ("input.a + input.b * 2", lambda n: n + 2 * (n + 1)),
        ("lower(input.name) + '-' + text(input.a)", lambda n: f"n{n}-{n}"),
        ("input.a * 1.5 > 100 ? 'big' : 'small'", lambda n: "big" if n * 1.5 > 100 else "small"),
        ("sum(input.list) + length(input.list)", lambda n: 3 * n + 3),
        ("default(input.nope, input.a)", lambda n: n),
    ]
    wrong: list[Any] = []

    def work(thread: int) -> None:
        for turn in range(500):
            n = thread * 1000 + turn
            source, expected = sources[turn % len(sources)]
            scope = Scope(input={"a": n, "b": n + 1, "name": f"N{n}", "list": [n, n, n]})
            if compile_expression(source).evaluate(scope) != expected(n):
                wrong.append((thread, turn))

    run_threads(work, 6)

    assert wrong == []


def test_the_child_dies_with_its_parent_even_while_it_computes() -> None:
    script = (
        "import os, threading\n"
        "from engine.sandbox import SANDBOX\n"
        "SANDBOX.evaluate('1', {})\n"
        "print(SANDBOX.pids()[0], flush=True)\n"
        "input()\n"
        f"threading.Thread(target=lambda: SANDBOX.evaluate({SLOW!r}, {{'v__0': list(range(9000))}})).start()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))

    parent.communicate("go\n", timeout=30)

    assert ended(child)
    os.close(child)


def test_a_forked_process_starts_its_own_child() -> None:
    script = (
        "import os\n"
        "from engine.sandbox import SANDBOX\n"
        "SANDBOX.evaluate('1', {})\n"
        "before = SANDBOX.pids()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    right = SANDBOX.pids() == [] and SANDBOX.evaluate('2', {}) == 2 and SANDBOX.pids() != before\n"
        "    SANDBOX.close()\n"
        "    os._exit(0 if right else 1)\n"
        "_, status = os.waitpid(pid, 0)\n"
        "print(status, SANDBOX.evaluate('3', {}), SANDBOX.pids() == before)\n"
    )

    assert run(script) == "0 3 True"


def test_nothing_is_left_when_the_process_ends() -> None:
    script = "from engine.sandbox import SANDBOX\nSANDBOX.evaluate('1', {})\nprint(SANDBOX.pids()[0])\n"

    pid = int(run(script))

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def run(script: str) -> str:
    """What a Python process of its own prints."""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


def run_threads(work: Any, count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


def kill_and_wait(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert ended(descriptor)
    os.close(descriptor)


def ended(descriptor: int) -> bool:
    """Whether the process ends within 30 seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(30_000))
