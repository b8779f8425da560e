"""What no line of the product may do: evaluate text, unpickle, or reach out past the one guarded client."""

from __future__ import annotations

import ast

from tests.architecture.source import imports, modules

# `integrations` is where the outside begins; these are its transports, all of which go through `integrations.egress`.
TRANSPORTS = {
    "integrations/egress.py",
    "integrations/http.py",
    "integrations/providers/database/mysql.py",
    "integrations/providers/database/postgres.py",
    "integrations/providers/email/smtp.py",
    "integrations/providers/llm/openai_compatible.py",
}
OUTGOING = {
    "aiohttp", "ftplib", "http.client", "httpcore2", "httpx", "httpx2", "imaplib", "openai", "poplib",
    "psycopg", "pymysql", "requests", "smtplib",
    "socket", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc",
}  # fmt: skip
NOT_TO_CONNECT = {
    ("auterity/kernel/sql.py", "psycopg"): {"Cursor"},  # On the connection that Django opened.
    ("executions/runner.py", "socket"): {"gethostname"},  # A worker's name in its leases.
    ("integrations/watch.py", "socket"): {
        "fromfd",
        "AF_INET",
        "SOCK_STREAM",
        "SHUT_RDWR",
        "IPPROTO_TCP",  # Counts and ends others' sockets; opens none.
    },
}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml", "jinja2", "telnetlib"}
# The one reader of YAML takes the parser's events and builds nothing but JSON's kinds; its dumper is the safe one.
MAY_IMPORT = {("workflows/yaml_text.py", "yaml")}
YAML_USED = {
    "AliasEvent", "DocumentStartEvent", "MappingEndEvent", "SafeDumper", "SafeLoader", "ScalarEvent", "SequenceEndEvent",
    "SequenceStartEvent", "YAMLError", "dump", "parse",
}  # fmt: skip
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}


def _outgoing(names: set[str]) -> set[str]:
    return {each for each in OUTGOING if any(name == each or name.startswith(f"{each}.") for name in names)}


def test_only_the_transports_open_outgoing_connections() -> None:
    found = {(path, each) for path, tree in modules().items() for each in _outgoing(set(imports(tree)))}
    assert {(path, name) for path, name in found if path not in TRANSPORTS} == set(NOT_TO_CONNECT)


def test_every_transport_is_one() -> None:
    """A list that names more than it must would hide something later."""
    assert {path for path in TRANSPORTS if not _outgoing(set(imports(modules()[path])))} == set()


def test_a_module_that_may_import_one_for_something_else_uses_only_that() -> None:
    for (path, name), allowed in NOT_TO_CONNECT.items():
        used = {
            node.attr
            for node in ast.walk(modules()[path])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
        }
        assert used == allowed, path


def test_nothing_is_evaluated_or_unpickled() -> None:
    found = []
    for path, tree in modules().items():
        found += [
            (path, name)
            for name in imports(tree)
            if name.partition(".")[0] in UNSAFE_MODULES and (path, name) not in MAY_IMPORT
        ]
        found += [
            (path, node.func.id)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS
        ]
    assert found == []


def test_the_reader_of_yaml_never_lets_yaml_build_a_value() -> None:
    tree = modules()["workflows/yaml_text.py"]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml"
    }
    assert used == YAML_USED
    text = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {each for each in text if each.endswith(("Loader", "Dumper"))} == {"CSafeLoader", "CSafeDumper"}


def test_only_the_environment_module_reads_the_environment() -> None:
    readers = {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }
    # The two entries only say which settings to use; the sandbox gives its child an empty environment.
    assert readers - {"auterity/asgi.py", "auterity/celery.py", "engine/sandbox.py"} == set()


def test_nothing_is_swallowed_in_silence() -> None:
    """`except Exception: pass` hides a defect; `contextlib.suppress` and a logged warning say what is meant."""
    silent = [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
        and all(isinstance(each, ast.Pass) for each in node.body)
    ]
    assert silent == []
