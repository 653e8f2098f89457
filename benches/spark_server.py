"""An Apache Spark server on this machine, and the processor time that it took."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 180.0


@dataclass(frozen=True)
class SparkServer:
    """A running server."""

    port: int
    process: int

    @property
    def settings(self) -> dict[str, str]:
        """What hands a check to it."""
        return {"DRIFT_CHECK__ENGINE__KIND": "spark", "DRIFT_CHECK__ENGINE__REMOTE": f"sc://127.0.0.1:{self.port}"}

    def cpu_s(self) -> float:
        """Of all its threads so far, in user and kernel."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(") ")[2].split()
        # After the name: state is the third field, user and kernel time the fourteenth and fifteenth.
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(environment: Path, cores: int) -> Iterator[SparkServer]:
    """Starts the server that is installed in a virtual environment, and stops it at the end."""
    (home,) = environment.glob("lib/python*/site-packages/pyspark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": port,
            "spark.ui.enabled": "false",
            # It would keep every request.
            "spark.connect.execute.manager.abandonedTombstonesSize": 1,
            "spark.sql.shuffle.partitions": cores,
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            "spark.local.dir": f"{folder}/local",
        }
        argv = [str(home / "bin/spark-submit"), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        argv += ["--master", f"local[{cores}]", "--driver-memory", "4g"]
        argv += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        own = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
        # It prints its configuration and every query.
        server = subprocess.Popen([*argv, "spark-internal"], env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(server, port)
            yield SparkServer(port, server.pid)
        finally:
            server.terminate()
            server.wait()


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Until the port is open."""
    started_s = time.monotonic()
    while True:
        with socket.socket() as stream:
            if stream.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None or time.monotonic() - started_s > PATIENCE_S:
            raise RuntimeError(f"Spark did not start: it ended with {server.poll()}")
        time.sleep(0.1)
