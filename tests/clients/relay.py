"""Clients that put a whole file into one request hand it in through the relay: 64 MiB, or as many MiB as RELAY_MIB says.

curl, httpx, Java's HttpClient, and the bytes of .NET, Apache HttpClient, javax.mail and Python's email library.
"""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
MIB = int(os.environ.get("RELAY_MIB", "64"))
JAVA = """
import java.io.*; import java.net.URI; import java.net.http.*; import java.nio.file.*;
class Put {
    public static void main(String[] a) throws Exception {
        var head = "--b\\r\\nContent-Disposition: form-data; name=\\"metadata\\"\\r\\n\\r\\n" + Files.readString(Path.of(a[2]))
            + "\\r\\n--b\\r\\nContent-Disposition: form-data; name=\\"file\\"; filename=\\"a.mp4\\"\\r\\n\\r\\n";
        var body = HttpRequest.BodyPublishers.concat(HttpRequest.BodyPublishers.ofString(head),
            HttpRequest.BodyPublishers.ofFile(Path.of(a[3])), HttpRequest.BodyPublishers.ofString("\\r\\n--b--\\r\\n"));
        var request = HttpRequest.newBuilder(URI.create(a[0])).header("Authorization", "Bearer " + a[1])
            .header("Content-Type", "multipart/form-data; boundary=b").PUT(body).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.print(answer.statusCode() + " " + answer.body());
    }
}
"""


def start_relay(service, spool):
    """The relay and its URL."""
    command = [str(ROOT / "target/debug/okd"), "relay", "--listen", "127.0.0.1:0", "--service", service, "--spool", spool]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    return process, json.loads(process.stderr.readline())["url"]


def curl(url, token, metadata, path, order):
    parts = {"metadata": ["-F", f"metadata=<{metadata};type=application/json"], "file": ["-F", f"file=@{path};type=video/mp4"]}
    form = [word for name in order for word in parts[name]]
    command = ["curl", "-s", "-X", "PUT", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {token}", *form, url]
    body, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
    return int(status), body


def by_httpx(url, token, metadata, path):
    with open(path, "rb") as file, httpx.Client(timeout=600) as http:
        files = [("metadata", (None, metadata.read_text(), "application/json")), ("file", ("scan.mp4", file, "video/mp4"))]
        answer = http.put(url, headers={"Authorization": f"Bearer {token}"}, files=files)
        return answer.status_code, answer.text


def by_java(url, token, metadata, path):
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "Put.java"
        program.write_text(JAVA)
        command = ["java", str(program), url, token, str(metadata), str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        status, _, body = said.partition(" ")
        return int(status), body


def peak(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def main():
    service, folder = os.environ["OKD_API"], tempfile.TemporaryDirectory()
    spool = Path(folder.name) / "spool"
    spool.mkdir()
    relay, base = start_relay(service, str(spool))
    try:
        os.environ["OKD_API"] = base
        # They read where the service is when they are imported: it is behind the relay.
        import bytes_client
        import okd
        import recipes

        token = okd.token()
        path = Path(folder.name) / "recording.mp4"
        block = random.randbytes(2**20)
        with open(path, "wb") as file:
            for number in range(MIB):
                file.write(number.to_bytes(4, "big") + block[4:])
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()

        def check(name, send):
            metadata = Path(folder.name) / f"{name}.json"
            metadata.write_text(json.dumps(okd.metadata()))
            document = okd.stored(*send(metadata))
            assert recipes.sha256_of(document, token) == digest, f"{name} handed in other bytes"
            print(f"{name}: {MIB} MiB, {document}; the relay has held {peak(relay)} MiB", flush=True)

        check("curl", lambda metadata: curl(okd.URL, token, metadata, path, ["metadata", "file"]))
        check("curl, the metadata last", lambda metadata: curl(okd.URL, token, metadata, path, ["file", "metadata"]))
        check("httpx", lambda metadata: by_httpx(okd.URL, token, metadata, path))
        check("java", lambda metadata: by_java(okd.URL, token, metadata, path))
        if MIB <= 256:  # these hold the whole body
            for write in bytes_client.WRITERS:
                body = path.read_bytes()
                check(
                    write.__name__,
                    lambda metadata, write=write: bytes_client.put(token, *write(json.loads(metadata.read_text()), body)),
                )
        assert not list(spool.iterdir()), "something stays on the relay's disk"
        assert peak(relay) < 150, f"the relay has held {peak(relay)} MiB"
    finally:
        relay.terminate()
        assert relay.wait() == 0
        folder.cleanup()


if __name__ == "__main__":
    sys.exit(main())
