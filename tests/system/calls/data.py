"""Shapes of databases and caches: their own servers and clients."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from calls.programs import call, serve
from calls.shape import THRESHOLD, TIMEOUT_SECONDS, Right, shape
from conftest import DEADLINE_SECONDS


def postgres_tool(name):
    return str(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[-1])


def made_once(variant, name, make):
    """A data directory to copy, since making one takes seconds."""
    template = variant.world.scratch / name
    with variant.world.lock:
        if not template.exists():
            make(template)
    return template


def postgres(variant):
    def make(template):
        template.mkdir()
        shutil.chown(template, "postgres")
        subprocess.run(
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
             postgres_tool("initdb"), "-D", template, "-A", "trust", "--no-sync"],
            check=True, capture_output=True,
        )

    data = variant.scratch / "data"
    subprocess.run(["cp", "-a", made_once(variant, "postgres", make), data], check=True)
    shutil.chown(variant.scratch, "postgres")
    (data / "pg_hba.conf").write_text("host all all all trust\n")
    variant.server(
        [postgres_tool("postgres"), "-D", data, "-p", variant.port, "-c", f"listen_addresses={variant.host}",
         "-c", f"unix_socket_directories={variant.scratch}", "-c", "fsync=off", "-c", "shared_buffers=4MB"],
        user="postgres",
    )


def psql(variant, *options):
    return ["psql", "-qAtX", "-h", variant.host, "-p", variant.port, "-U", "postgres", *options, "postgres"]


CONNECTIONS = 10
TRIES = THRESHOLD + 3


@shape("psql-connect-and-goodbye")
def psql_goodbye(variant):
    postgres(variant)
    for _ in range(CONNECTIONS):
        assert variant.run(psql(variant, "-c", "select 1")).strip() == "1"
    # The offer of TLS, signing in and the query.
    return Right.healthy((CONNECTIONS, 4 * CONNECTIONS))


@shape("pgbench-connection-each")
def pgbench_connect(variant):
    postgres(variant)
    script = variant.scratch / "script"
    script.write_text("SELECT 1;\n")
    times = 100
    said = variant.run(
        ["pgbench", "-h", variant.host, "-p", variant.port, "-U", "postgres", "-n", "-C", "-c", "2", "-t", times // 2,
         "-f", script, "postgres"]
    )
    assert f"actually processed: {times}/{times}" in said, said
    return Right.healthy((times, 4 * (times + 4)))


@shape("pgbench")
def pgbench(variant):
    """Of 20 ms each."""
    postgres(variant)
    script = variant.scratch / "script"
    script.write_text("SELECT pg_sleep(0.02);\n")
    said = variant.run(
        ["pgbench", "-h", variant.host, "-p", variant.port, "-U", "postgres", "-n", "-c", "2", "-t", "25", "-l",
         "--log-prefix", variant.scratch / "log", "-f", script, "postgres"], cwd=variant.scratch
    )
    assert "actually processed: 50/50" in said, said
    times = sorted(
        int(line.split()[2]) / 1e6
        for file in variant.scratch.glob("log.*")
        for line in file.read_text().splitlines()
    )
    return Right.healthy((50, 62), (0.02 + variant.round_trip, times[len(times) // 2]))


@shape("postgresql-listen")
def listen(variant):
    """Six sessions that wait for what nobody notifies."""
    postgres(variant)
    waiting = [variant.client(psql(variant), stdin=subprocess.PIPE) for _ in range(6)]
    for session in waiting:
        session.stdin.write("LISTEN nobody;\nselect 'listening';\n")
        session.stdin.flush()
    for session in waiting:
        assert session.stdout.readline() == "listening\n"
    variant.past_timeout()
    for session in waiting:
        session.communicate(timeout=DEADLINE_SECONDS)
    return Right.healthy((6, 6 * 6))


def mariadb(variant):
    def make(template):
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=mysql", "--skip-test-db",
             "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M", f"--datadir={template}"],
            check=True, capture_output=True,
        )

    data = variant.scratch / "data"
    subprocess.run(["cp", "-a", made_once(variant, "mariadb", make), data], check=True)
    shutil.chown(variant.scratch, "mysql")
    variant.server(
        ["mariadbd", "--no-defaults", f"--datadir={data}", f"--port={variant.port}", f"--bind-address={variant.host}",
         f"--socket={variant.scratch}/socket", f"--pid-file={variant.scratch}/pid", "--skip-name-resolve",
         "--skip-grant-tables", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
         "--innodb-flush-log-at-trx-commit=0", "--performance-schema=off"],
        user="mysql",
    )


def mariadb_client(variant, *options):
    where = ["-h", variant.host, "-P", variant.port, "--protocol=tcp", "--skip-ssl"]
    return ["mariadb", "--no-defaults", *where, *options, "-Nse", "select 1"]


@shape("mariadb-connect-and-quit")
def mariadb_goodbye(variant):
    mariadb(variant)
    for _ in range(CONNECTIONS):
        said = variant.run(mariadb_client(variant))
        assert said.strip() == "1", said
    # The greeting, signing in, what the client asks by itself, and the query.
    return Right.healthy((CONNECTIONS, 6 * CONNECTIONS))


def redis(variant):
    variant.server(
        ["redis-server", "--port", variant.port, "--bind", variant.host, "--save", "", "--dir", variant.scratch,
         "--protected-mode", "no"]
    )


@shape("python-redis")
def python_redis(variant):
    redis(variant)
    count = 50
    seen = call(variant, "redis_pool", count)[0]
    return Right.healthy((count, count + 2), (variant.round_trip, max(seen, 1e-3)))


@shape("redis-blpop-timeout-0", breaker={"timeout": 0})
def redis_blpop(variant):
    redis(variant)
    call(variant, "redis_wait", 6, 3)
    return Right.healthy((6, 12))


@shape("redis-benchmark")
def redis_benchmark(variant):
    redis(variant)
    said = variant.run(
        ["redis-benchmark", "-h", variant.host, "-p", variant.port, "-c", "2", "-n", "100", "-t", "get", "-q"]
    )
    assert "requests per second" in said, said
    return Right.healthy((100, 110))


def stop(variant):
    """The kernel goes on accepting for it."""
    variant.servers[-1].send_signal(signal.SIGSTOP)


# Longer than the breaker's time-out.
PATIENCE = TIMEOUT_SECONDS + 2


@shape("redis-stopped")
def redis_stopped(variant):
    redis(variant)
    call(variant, "redis_pool", 10)
    stop(variant)
    call(variant, "redis_ask", TRIES, PATIENCE)
    return Right.outage()


@shape("postgresql-stopped")
def postgres_stopped(variant):
    postgres(variant)
    assert variant.run(psql(variant, "-c", "select 1")).strip() == "1"
    stop(variant)
    limited = {**os.environ, "PGCONNECT_TIMEOUT": str(PATIENCE)}
    variant.beside([psql(variant, "-c", "select 1")] * TRIES, env=limited)
    return Right.outage()


@shape("mariadb-stopped")
def mariadb_stopped(variant):
    """Nobody greets."""
    mariadb(variant)
    stop(variant)
    variant.beside([mariadb_client(variant, f"--connect-timeout={PATIENCE}")] * TRIES)
    return Right.outage()


@shape("ldap-unbind")
def ldap_unbind(variant):
    serve(variant, "ldap")
    call(variant, "goodbye", CONNECTIONS)
    return Right.healthy((CONNECTIONS, 2 * CONNECTIONS))
