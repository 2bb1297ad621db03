"""What looks like the API of Dataflow, and like Google's service for tokens."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import pathlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import dataflow

_JOBS = re.compile(r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/jobs")
_JOB = re.compile(_JOBS.pattern + r"/(?P<id>[^/?]+)(?:/(?P<what>messages|metrics))?")


@dataclasses.dataclass
class FakeDataflow:
    """The jobs that were submitted, and what becomes of them.

    Attributes:
        execute: runs a job, returns its metrics as the API has them; what it raises fails the job.
        jobs: in the order of their submission.
        endpoint: address of the API; it has to be called localhost.
    """

    execute: Callable[[dataflow.Job], list[dict[str, Any]]]
    jobs: list[dataflow.Job] = dataclasses.field(default_factory=list)
    endpoint: str = ""
    _answers: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def submit(self, job: dataflow.Job, project: str, region: str) -> dict[str, Any]:
        job.id, job.project_id, job.location = f"job-{len(self.jobs)}", project, region
        job.current_state = dataflow.JobState.JOB_STATE_RUNNING
        self.jobs.append(job)
        self._answers[job.id] = {"metrics": {"metrics": []}, "messages": {"jobMessages": []}}
        answer = json.loads(dataflow.Job.to_json(job))  # It runs, whatever comes of it.
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return answer

    def answer(self, path: str) -> dict[str, Any]:
        """What a GET of the path yields."""
        match = _JOB.match(path)
        assert match, path
        if match["what"]:
            return self._answers[match["id"]][match["what"]]
        (job,) = [job for job in self.jobs if job.id == match["id"]]
        return json.loads(dataflow.Job.to_json(job))

    def _run(self, job: dataflow.Job) -> None:
        answers = self._answers[job.id]
        try:
            answers["metrics"] = {"metrics": self.execute(job)}
            job.current_state = dataflow.JobState.JOB_STATE_DONE
        except Exception as error:
            message = {"messageImportance": "JOB_MESSAGE_ERROR", "time": "2026-01-01T00:00:00Z"}
            answers["messages"] = {"jobMessages": [{"id": "1", "messageText": str(error), **message}]}
            job.current_state = dataflow.JobState.JOB_STATE_FAILED


@contextlib.contextmanager
def serving(execute: Callable[[dataflow.Job], list[dict[str, Any]]]) -> Iterator[FakeDataflow]:
    """Serves the API until the block is left."""
    fake = FakeDataflow(execute)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                return self._answer({"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600})
            assert self.headers["Authorization"] == "Bearer a-token"
            match = _JOBS.match(self.path)
            assert match, self.path
            job = dataflow.Job.from_json(body)
            return self._answer(fake.submit(job, match["project"], match["region"]))

        def do_GET(self):
            self._answer(fake.answer(self.path))

        def _answer(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as server:
        fake.endpoint = f"http://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def credentials(fake: FakeDataflow, path: pathlib.Path) -> pathlib.Path:
    """Writes the key file of a service account whose tokens the fake gives out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "launcher@a-project.iam.gserviceaccount.com",
        "token_uri": f"{fake.endpoint}/token",
    }
    path.write_text(json.dumps(account))
    return path
