#!/usr/bin/env python3
"""Asks real Kafka what `recorded/` says that it answered: `real.py [confirm|record] FOLDER RELEASE...`

For each release, Kafka's and ZooKeeper's jars are fetched by Maven into FOLDER (50 MB each), three brokers and a
ZooKeeper server are started on free ports, `wire.py` asks them, and they are ended. Java 17 and Maven are needed.
"""

import contextlib
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from recording import number

# What old releases log with, and what ZooKeeper's server needs beside Kafka's own dependencies.
BESIDE = [
    ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    ("io.dropwizard.metrics", "metrics-core", "4.1.12.1"),
    ("org.xerial.snappy", "snappy-java", "1.1.10.5"),
]


def wanted(release):
    version = number(release)
    scala = "2.11" if version < [2, 0] else "2.12" if version < [2, 7] else "2.13"
    yield "org.apache.kafka", f"kafka_{scala}", release
    yield from BESIDE
    if version < [2, 0]:
        yield "javax.xml.bind", "jaxb-api", "2.3.1"  # gone from Java since 11
    elif version < [2, 4]:
        yield "org.apache.zookeeper", "zookeeper", "3.4.12"  # their 3.4.13 finds no server under Java 14 and later


def fetched(folder, release):
    """The folder with the jars of the release."""
    folder = folder / release
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        dependency = "<groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>"
        rows = "".join(f"<dependency>{dependency.format(*one)}</dependency>" for one in wanted(release))
        project = dependency.format("sim", "kafka", "1") + f"<dependencies>{rows}</dependencies>"
        (folder / "pom.xml").write_text(f"<project><modelVersion>4.0.0</modelVersion>{project}</project>")
        copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
        subprocess.run(copy, cwd=folder, check=True)
        for old in ("slf4j-log4j12-*", "log4j-1.2.*"):  # reload4j is log4j 1.2, maintained
            for jar in (folder / "libs").glob(old):
                jar.unlink()
        (folder / "done").touch()
    return folder / "libs"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def listens(port, process, log, seconds=120):
    end = time.time() + seconds
    while time.time() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    sys.exit(f"nothing listens on port {port}:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def cluster(folder, release):
    """Three brokers, 1, 2 and 3, as wire.py describes them; the address of the first."""
    libs, (zookeeper, *brokers) = fetched(folder, release), free_ports(4)
    started = []

    def start(name, main, heap, settings, port):
        config, log = data / f"{name}.properties", data / f"{name}.log"
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        command = ["java", f"-Xmx{heap}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*"]
        log4j = data / "log4j.properties"
        log4j.write_text(
            "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n"
        )
        command += [
            f"-Dlog4j.configuration=file:{log4j}",
            "-Dzookeeper.jmx.log4j.disable=true",
            main,
            str(config),
        ]
        process = subprocess.Popen(command, stdout=log.open("w"), stderr=subprocess.STDOUT)
        started.append(process)
        listens(port, process, log)

    with tempfile.TemporaryDirectory() as text:
        data = pathlib.Path(text)
        try:
            server = {
                "dataDir": data / "zookeeper",
                "clientPort": zookeeper,
                "clientPortAddress": "127.0.0.1",
            }
            server |= {"tickTime": 2000, "maxClientCnxns": 0, "admin.enableServer": "false"}
            main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
            start("zookeeper", main, 128, server, zookeeper)
            for number_, port in enumerate(brokers, 1):
                start(
                    f"broker-{number_}",
                    "kafka.Kafka",
                    384,
                    broker(release, number_, port, zookeeper, data),
                    port,
                )
            yield f"127.0.0.1:{brokers[0]}"
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()


def broker(release, number_, port, zookeeper, data):
    settings = {
        "broker.id": number_,
        "listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": data / f"broker-{number_}",
        "zookeeper.connect": f"127.0.0.1:{zookeeper}",
        "num.partitions": 1,
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 3,
        "log.cleaner.dedupe.buffer.size": 2 << 20,
    }
    if number(release) >= [0, 11]:
        settings |= {
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 3,
            "transaction.state.log.min.isr": 2,
            "group.initial.rebalance.delay.ms": 0,
        }
    return settings


def main():
    what, folder, *releases = sys.argv[1:]
    program, failed = pathlib.Path(__file__).with_name("wire.py"), []
    for release in releases:
        with cluster(pathlib.Path(folder).resolve(), release) as address:
            asked = subprocess.run([sys.executable, "-B", program, what, release, "--bootstrap", address])
        failed += [release] * (asked.returncode != 0)
    sys.exit(f"differs: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
