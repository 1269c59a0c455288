"""Serves a cluster under attack, while honest clients write: soak.py SIM SECONDS [MEBIBYTES]

Fails unless the memory stays below the bound, an acknowledgement comes every second, nothing is lost, and the
recording gives the same run again.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import wire

HERE = pathlib.Path(__file__).parent
sim, seconds = sys.argv[1], float(sys.argv[2])
# Well below what the gateway states for a cluster of this size: the attackers do not do their worst.
bound = int(sys.argv[3]) if len(sys.argv) > 3 else 1_536
GAP_MAX = 1.0
BALLAST = 60

folder = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
record, scenario = folder / "inbound", HERE / "cluster.toml"
command = [sim, "serve", scenario, "--seed", "42", "--port", "0", "--keep-running", "--record", record]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
addresses = {}
for line in server.stdout:
    if line.strip() == "ready":
        break
    _, name, address = line.split()
    addresses[name] = address
brokers = ",".join(addresses[name] for name in ("b1", "b2", "b3"))
print(f"serves {addresses}", flush=True)


def resident():
    pages = int(pathlib.Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


peak = 0


def watch():
    global peak
    while server.poll() is None:
        try:
            peak = max(peak, resident())
        except (OSError, IndexError):
            return
        time.sleep(0.05)


threading.Thread(target=watch, daemon=True).start()


def python(script, *arguments):
    arguments = [str(argument) for argument in arguments]
    return [sys.executable, str(HERE / script), *arguments]


# Something to fetch: records of almost a mebibyte, in a topic of its own. It is created by asking for it.
ballast = wire.produce("ballast", bytes(1_000_000))
asked = wire.request(3, 1, wire.struct.pack(">i", 1) + wire.text("ballast"))
for _ in range(BALLAST):
    for name in ("b1", "b2", "b3"):
        host, port = addresses[name].rsplit(":", 1)
        with wire.connect((host, int(port)), timeout=60) as stream:
            # Two of the three are not its leader.
            for request in (asked, ballast):
                stream.sendall(request)
                wire.answer(stream)
print("has something to fetch", flush=True)

kcat = None
lines = [f"line {number}" for number in range(int(seconds * 20))]
if subprocess.run(["which", "kcat"], capture_output=True).returncode == 0:
    kcat = subprocess.Popen(
        ["kcat", "-b", brokers, "-P", "-t", "by-kcat", "-X", "acks=all", "-X", "message.timeout.ms=60000"],
        stdin=subprocess.PIPE,
        text=True,
    )

    def feed():
        for line in lines:
            kcat.stdin.write(line + "\n")
            kcat.stdin.flush()
            time.sleep(0.05)
        kcat.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()

# The first record creates the topic.
host, port = addresses["b1"].rsplit(":", 1)
with wire.connect((host, int(port)), timeout=60) as stream:
    stream.sendall(wire.request(3, 1, wire.struct.pack(">i", 1) + wire.text("honest")))
    wire.answer(stream)
producer = subprocess.Popen(python("producer.py", seconds, brokers, "honest"), stdout=subprocess.PIPE, text=True)
attack = subprocess.Popen(python("attack.py", seconds, brokers, addresses["z1"]))

failures = []
written, _ = producer.communicate()
attack.wait()
if producer.returncode != 0:
    failures.append("the honest producer failed")
else:
    acknowledged, lost, gap, at = written.split()
    print(f"{acknowledged} records acknowledged, {lost} lost, longest gap {gap} s at {at} s")
    if int(lost) > 0:
        failures.append(f"{lost} acknowledged records were lost")
    if float(gap) > GAP_MAX:
        failures.append(f"{gap} s between two acknowledgements")
if kcat:
    feeder.join()
    if kcat.wait() != 0:
        failures.append(f"kcat ended with {kcat.returncode}")
    read = subprocess.run(
        ["kcat", "-b", brokers, "-C", "-t", "by-kcat", "-o", "beginning", "-e", "-q"],
        capture_output=True,
        text=True,
    )
    missing = len(set(lines) - set(read.stdout.splitlines()))
    print(f"kcat wrote {len(lines)} records, {missing} are missing")
    if missing:
        failures.append(f"{missing} records of kcat were lost")
print(f"at most {peak} MiB of memory, bound {bound} MiB; {record.stat().st_size >> 20} MiB recorded", flush=True)
if peak > bound:
    failures.append(f"{peak} MiB of memory")

if server.poll() is None:
    server.send_signal(signal.SIGINT)
report = server.stdout.read()
if server.wait() != 0:
    failures.append(f"serving ended with {server.returncode}:\n{report}")


def fingerprint(text):
    return next((line.split()[1] for line in text.splitlines() if line.startswith("fingerprint")), "none")


again = subprocess.run(
    [sim, "run", scenario, "--seed", "42", "--inbound", record], capture_output=True, text=True
)
once, twice = fingerprint(report), fingerprint(again.stdout)
print(f"fingerprint {once}, played back {twice}")
if once != twice or once == "none":
    failures.append(f"the recording gives another run:\n{again.stdout}{again.stderr}")
for failure in failures:
    print(f"FAILED: {failure}")
if failures:
    sys.exit(f"the recording is {record}")
record.unlink()
folder.rmdir()
