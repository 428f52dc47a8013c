"""Configurations that are wrong or not there: one line per error that names the thing and the mend, and
exit code 2; and the same for the command line."""

import http.server
import json
import os
import secrets
import socket
import subprocess
import threading

import jsonschema
import pytest

from conftest import BINARY, DEADLINE_SECONDS, ROOT


def moonwatch(*arguments, prefix=(), **kwargs):
    run = subprocess.run(
        [*prefix, str(BINARY), *arguments], capture_output=True, text=True, timeout=DEADLINE_SECONDS, **kwargs
    )
    return run.returncode, run.stdout, run.stderr.splitlines()



def write(content):
    def write_to(path):
        path.write_bytes(content)

    return write_to


def bind(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


# What the file is, what the line has to say.
WRONG_FILES = {
    "missing": (lambda path: None, ["No such file or directory"]),
    "a directory": (lambda path: path.mkdir(), ["Is a directory"]),
    "a FIFO": (os.mkfifo, ["not a regular file"]),
    "a socket": (bind, ["not a regular file"]),
    "a device": (lambda path: path.symlink_to("/dev/zero"), ["not a regular file"]),
    "huge": (lambda path: (path.touch(), os.truncate(path, 1 << 40)), ["too large", "1048576"]),
    "empty": (write(b""), ["empty", "{}"]),
    "blanks": (write(b" \n\t\n"), ["empty"]),
    "truncated": (write(b'{"health_monitor": {"check_interval": 30'), ["ends too early"]),
    "garbled": (write(b'{"health_monitor": {]}'), ["line 1", "not JSON"]),
    "binary": (write(b"\x7fELF\x02\x01\x01\x00" + bytes(range(256))), ["not UTF-8"]),
    "NUL bytes": (write(b'{"server": {}}\0\0'), ["NUL"]),
    "too large": (write(b" " * (1 << 20) + b"{}"), ["too large", "1048576"]),
    "too deep": (write(b"[" * 100000), ["nested too deep"]),
    "a list": (write(b"[]"), ["object"]),
    "an unknown key": (write(b'{"helth_monitor": {}}'), ["/helth_monitor", "nearest is health_monitor"]),
    "a wrong type": (write(b'{"server": {"listen": 8000}}'), ["/server/listen"]),
    "out of range": (write(b'{"health_monitor": {"check_interval": 0}}'), ["check_interval", "from 1 to"]),
    "warning above critical": (
        write(b'{"health_monitor": {"thresholds": {"disk_warning": 99}}}'),
        ["/health_monitor/thresholds/disk_warning", "disk_critical"],
    ),
    "no address": (write(b'{"server": {"listen": "here"}}'), ["/server/listen", "HOST:PORT"]),
}


COMMANDS = [
    "run --config",
    "check",
    "doctor --config",
    "status --config",
    "status --check --config",
    "breaker list --config",
    "alert list --config",
    "alert send-test x --config",
    "alert test --input none --config",
    "alert test --input none --rules",
]


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file(tmp_path, name):
    make, expected = WRONG_FILES[name]
    path = tmp_path / "monitoring.json"
    make(path)
    for command in COMMANDS:
        rules = command.endswith("--rules")
        code, out, errors = moonwatch(*command.split(), str(path))
        if "--check" in command:
            assert code == 3 and not errors
            errors = [out.removeprefix("UNKNOWN - ").rstrip()]
        else:
            assert code == 2 and out == "", command
        assert len(errors) == 1 or rules, errors
        error = errors[0].removeprefix("moonwatch: ")
        assert error.startswith(f"{path}: ") and ": :" not in error and error.count(str(path)) == 1, error
        assert all(ord(c) >= 0x20 for c in error)
        for words in expected if not rules else []:
            assert words in error, error


def test_a_terminal_gets_no_commands_from_a_file(tmp_path):
    """Neither from its name nor from what is in it."""
    path = tmp_path / "\x1b[31m\u202e\x9b"
    path.write_text('{"\u202ea\x9b": 1}')
    for command in COMMANDS:
        _, out, errors = moonwatch(*command.split(), str(path))
        assert not set(out + "".join(errors)) & set("\x1b\x9b\u202e"), command
        assert "unknown key" in out + "".join(errors)
    _, _, errors = moonwatch("status", "--url", "http://\x1b[31m\x9b:1")
    assert len(errors) == 1 and not set(errors[0]) & set("\x1b\x9b")


def in_tokens(path):
    return {"auth": {"tokens_file": str(path)}}


def in_certificate(path):
    return {"server": {"tls_certificate_file": str(path), "tls_key_file": str(path)}}


def in_rules(path):
    rules = path.parent / "rules"
    rules.mkdir()
    path.rename(rules / "own.json")
    return {"alert_manager": {"rules_directory": str(rules)}}


@pytest.mark.parametrize("name", [in_tokens, in_certificate, in_rules])
def test_a_named_file_that_nobody_writes(tmp_path, name):
    """The start does not wait for the other side of a FIFO."""
    os.mkfifo(tmp_path / "fifo")
    config = tmp_path / "monitoring.json"
    overrides = {"RUNTIME_DIRECTORY": str(tmp_path), "STATE_DIRECTORY": str(tmp_path)}
    pins = {"listen": "127.0.0.1:0", "bpffs_directory": f"/sys/fs/bpf/moonwatch-test-{secrets.token_hex(8)}"}
    named = name(tmp_path / "fifo")
    config.write_text(json.dumps({**named, "server": {**pins, **named.get("server", {})}}))
    code, _, errors = moonwatch("run", "--config", str(config), env={**os.environ, **overrides})
    assert code != 0
    assert "not a regular file" in errors[-1] and str(tmp_path) in errors[-1]


def test_every_error_has_its_line(tmp_path):
    path = tmp_path / "monitoring.json"
    path.write_text(json.dumps({"surver": {}, "retry": {"jitter": "some", "max_attempts": -1}}))
    code, _, errors = moonwatch("run", "--config", str(path))
    assert code == 2
    for pointer in ("/surver", "/retry/jitter", "/retry/max_attempts"):
        assert [e for e in errors if e.startswith(f"{path}: {pointer}: ")], pointer
    assert len(errors) == 3
    assert moonwatch("check", str(path))[2] == errors


def test_an_unreadable_file(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    path = tmp_path / "monitoring.json"
    path.write_text("{}")
    path.chmod(0)
    # Without the capability to read everything, root is told as everybody is.
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    os.chown(path, 65534, 65534)
    code, _, errors = moonwatch("run", "--config", str(path), prefix=prefix)
    assert code == 2
    assert errors == [f"{path}: cannot read it: Permission denied (allowed: a readable JSON file)"]


def test_a_good_file(tmp_path):
    path = tmp_path / "monitoring.json"
    path.write_text("{}")
    assert moonwatch("check", str(path)) == (0, f"{path}: ok\n", [])


def test_what_has_no_effect_is_said(tmp_path):
    path = tmp_path / "monitoring.json"
    path.write_text(json.dumps({"privacy": {"anonymize_processes": True}}))
    warning = f"{path}: /privacy: warning: not in this version: it has no effect"
    assert moonwatch("check", str(path)) == (0, f"{path}: ok\n", [warning])


def test_an_address_for_everybody_wants_tokens(tmp_path):
    """As the agent at its start."""
    path = tmp_path / "monitoring.json"
    for listen, refused in (("0.0.0.0:8000", True), ("[::]:8000", True), ("127.0.0.1:8000", False), ("h:1", True)):
        path.write_text(json.dumps({"server": {"listen": listen}}))
        code, _, errors = moonwatch("check", str(path))
        assert code == (2 if refused else 0) and len(errors) == refused, errors
        assert all(f"{path}: /server/listen: {listen} is not a" in error for error in errors), errors
    tokens = tmp_path / "tokens"
    tokens.write_text(f"viewer {'a' * 64} somebody\n")
    path.write_text(json.dumps({"server": {"listen": "0.0.0.0:8000"}, "auth": {"tokens_file": str(tokens)}}))
    assert moonwatch("check", str(path)) == (0, f"{path}: ok\n", [])


def test_files_of_the_server_are_read_as_at_the_start(tmp_path):
    path, gone, damaged = tmp_path / "monitoring.json", tmp_path / "gone", tmp_path / "damaged"
    damaged.write_text("viewer none somebody\n")
    for key, value in (("tokens_file", gone), ("tokens_file", damaged)):
        path.write_text(json.dumps({"auth": {key: str(value)}}))
        code, _, (error,) = moonwatch("check", str(path))
        assert code == 2 and error.startswith(f"{path}: /auth/{key}: {value}:"), error
    for value in (gone, damaged):
        path.write_text(json.dumps({"server": {"tls_certificate_file": str(value), "tls_key_file": str(value)}}))
        code, _, (error,) = moonwatch("check", str(path))
        assert code == 2 and error.startswith(f"{path}: /server/tls_certificate_file: "), error


WRONG_USAGE = [
    ([], ["command is missing", "--help"]),
    (["walk"], ["unknown command walk", "--help"]),
    (["--walk"], ["unknown option --walk"]),
    (["run", "--config"], ["--config wants a value"]),
    (["run", "--speed", "1"], ["unknown option --speed", "run --help"]),
    (["run", "file.json"], ["unexpected argument file.json"]),
    (["run", "--listen", "here"], ["--listen here", "127.0.0.1:8000"]),
    (["run", "--listen", "127.0.0.1:99999"], ["127.0.0.1:99999"]),
    (["run", "--dry-run=yes"], ["--dry-run takes no value"]),
    (["check"], ["FILE", "check --help"]),
    (["check", "a", "b"], ["unexpected argument b"]),
    (["check", "--schema", "a"], ["one of FILE"]),
    (["check", "--speed"], ["unknown option --speed"]),
    (["doctor", "me"], ["unexpected argument me"]),
    (["doctor", "--json=1"], ["--json takes no value"]),
    (["status", "now"], ["unexpected argument now"]),
    (["status", "--url"], ["--url wants a value"]),
    (["status", "--url", "gopher://x"], ["gopher://x", "http://HOST:PORT"]),
    (["status", "--url", "http://127.0.0.1:99999"], ["127.0.0.1:99999", "http://HOST:PORT"]),
    (["status", "--url", "http://127.0.0.1:0"], ["127.0.0.1:0", "http://HOST:PORT"]),
    # What a variable that nobody set becomes.
    (["check", ""], ["FILE is empty", "check --help"]),
    (["run", "--config", ""], ["--config wants a value"]),
    (["doctor", "--config="], ["--config wants a value"]),
]


@pytest.mark.parametrize("arguments, expected", WRONG_USAGE, ids=lambda v: " ".join(v) if v else "nothing")
def test_wrong_usage(arguments, expected):
    code, out, errors = moonwatch(*arguments)
    assert code == 2 and out == ""
    assert len(errors) == 1 and errors[0].startswith("moonwatch: ")
    for words in expected:
        assert words in errors[0]


def test_a_token_file_that_is_not_there(tmp_path):
    code, out, errors = moonwatch("status", "--token-file", str(tmp_path / "none"))
    assert code == 1 and out == "" and len(errors) == 1
    assert str(tmp_path / "none") in errors[0] and "No such file" in errors[0]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\x80b", b"a\0b", b"x" * 5000],
                         ids=["empty", "a line", "not ASCII", "a NUL", "large"])
def test_a_token_file_without_a_token(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    code, out, errors = moonwatch("status", "--token-file", str(path))
    assert code == 1 and out == "" and len(errors) == 1
    assert f"--token-file {path}: " in errors[0] and "bearer token" in errors[0]


@pytest.fixture
def stranger():
    """A server that is no agent: it answers `stranger.answer` to everything."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(server.answer)))
            self.end_headers()
            self.wfile.write(server.answer)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_terminal_gets_no_commands_from_an_answer(stranger):
    """Names of anybody's processes, and all of it where no agent answers: keys as well as values."""
    evil = "\x1b[2J\x9b2J\u202e"
    stranger.answer = json.dumps({
        "status": evil, "ts": evil, "components": {evil: {"status": evil, "reasons": [evil, "x"]}},
        "cpu": {"top": [{"comm": evil, "cpu_percent": 1}]}, "run_queue_delay": {}, "classes": [],
        "unseen": [{"what": evil, "reason": evil}], "probes": [{"concern": evil, "reason": evil}],
        "alerts": [{"id": evil, "labels": {evil: evil}, "summary": evil, "severity": evil, "state": evil}],
        "silences": [{"id": evil, "matchers": evil, "comment": evil}], "history": [], "channels": [{"name": evil}],
        "breakers": [{"name": evil, "addresses": [evil], "state": evil}],
    }, ensure_ascii=False).replace("\x1b", "\\u001b").encode()
    url = f"http://127.0.0.1:{stranger.server_address[1]}"
    for command in ("status", "status --json", "status --check", "alert list", "alert list --json", "breaker list",
                    "breaker list --json"):
        _, out, errors = moonwatch(*command.split(), "--url", url)
        assert "2J" in out, command
        assert not set(out + "".join(errors)) & set(evil) - set("[2J"), (command, out)


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"3", b'{"status": "ok"}', b"null", b"<html>", b"",
                                    b'{"alerts": 0, "silences": true, "breakers": 1, "components": "", "labels": ""}'])
def test_an_answer_that_is_not_an_agents(stranger, answer):
    stranger.answer = answer
    url = f"http://127.0.0.1:{stranger.server_port}"
    for command in (["status"], ["status", "--json"], ["alert", "list"], ["alert", "list", "--json"],
                    ["alert", "ack", "x"], ["alert", "silence", "a=b"], ["alert", "unsilence", "x"],
                    ["breaker", "list"], ["breaker", "list", "--json"], ["breaker", "reset"], ["breaker", "open", "x"]):
        code, out, errors = moonwatch(*command, "--url", url)
        assert code == 1 and out == "", (command, out)
        assert len(errors) == 1 and url in errors[0] and "no moonwatch there?" in errors[0], (command, errors)
    code, out, errors = moonwatch("status", "--check", "--url", url)
    assert code == 3 and out.startswith("UNKNOWN - ") and "no moonwatch there?" in out, out


def test_help():
    code, text, errors = moonwatch("--help")
    assert code == 0 and not errors
    commands = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2].isalpha()]
    assert {"run", "check", "doctor", "status"} <= set(commands)
    assert "exit codes: 0 done, 1 failed at run time, 2 wrong usage" in text
    for command in commands:
        for flag in ("--help", "-h"):
            code, text, errors = moonwatch(command, flag)
            assert code == 0 and not errors and text.startswith(f"usage: moonwatch {command} ")
        # Every option of the synopsis is explained.
        synopsis, rest = text.split("\n", 1)
        options = {word.strip("[]") for word in synopsis.split() if word.strip("[]").startswith("--")}
        assert all(f"  {option} " in rest for option in options), (command, options)


def test_version():
    code, text, errors = moonwatch("--version")
    assert code == 0 and not errors
    name, version = text.split()
    assert name == "moonwatch" and len(version.split(".")) == 3
    assert f"VERSION {version} " in (ROOT / "CMakeLists.txt").read_text()


def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        for arguments in (["--help"], ["--version"], ["check", "--schema"]):
            run = subprocess.run(
                [str(BINARY), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_SECONDS
            )
            assert run.returncode == 1, arguments
            assert "standard output: No space left" in run.stderr


def test_the_schema_accepts_what_is_shipped():
    _, schema, _ = moonwatch("check", "--schema")
    schema = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"helth_monitor": {}}, schema)
    jsonschema.validate(json.loads((ROOT / "config" / "monitoring.json").read_text()), schema)
