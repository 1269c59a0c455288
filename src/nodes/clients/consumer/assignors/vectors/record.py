#!/usr/bin/env python3
"""Records what the assignors of real Java clients answer: runs Record.java with the client of each release.

  record.py [FOLDER]      FOLDER keeps the clients' jars (default: a temporary one)

Needs Java 17 or later and Maven. assignors.json has one group a line. An answer that several releases give is
there once, under the names of all of them.
"""
import json, pathlib, subprocess, sys, tempfile

RELEASES = "0.11.0.3 1.1.1 2.2.2 2.3.1 2.4.1 2.5.1 2.7.2 2.8.0 2.8.2 3.0.2 3.3.2 3.4.1 3.5.2 3.6.2 3.7.0 3.9.1".split()
HERE = pathlib.Path(__file__).parent


def jars(folder, release):
    libs = folder / release
    if not libs.exists():
        pom = folder / f"{release}.xml"
        pom.write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>r</groupId><artifactId>r</artifactId><version>1</version>"
            "<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId>"
            f"<version>{release}</version></dependency></dependencies></project>")
        subprocess.run(["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={libs}"], check=True)
    return f"{libs}/*"


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    groups = []
    for release in RELEASES:
        run = ["java", "-cp", jars(folder, release), str(HERE / "Record.java")]
        lines = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
        for at, line in enumerate(map(json.loads, lines)):
            answers = line.pop("answers")
            if at == len(groups):
                groups.append(line | {"answers": {}})
            assert groups[at] == line | {"answers": groups[at]["answers"]}, "every release draws the same"
            for name, answer in answers.items():
                for kind, value in answer.items():
                    known = groups[at]["answers"].setdefault(name, {}).setdefault(kind, [])
                    found = next((entry for entry in known if entry[1] == value), None)
                    if found:
                        found[0] += " " + release
                    else:
                        known.append([release, value])
        print(release, len(lines), file=sys.stderr)
    text = ",\n".join(json.dumps(group, separators=(",", ":")) for group in groups)
    (HERE / "assignors.json").write_text(f"[\n{text}\n]\n")


main()
