"""`pointsman schema`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from program import environment, pointsman

EXAMPLE = Path(__file__).parents[2] / "mappings.example.yaml"


def test_schema_prints_a_json_schema_that_the_example_fits() -> None:
    """An editor that has the schema finds nothing wrong with the annotated example."""
    ran = pointsman("schema")
    assert (ran.code, ran.err) == (0, "")
    schema = json.loads(ran.out)
    Draft202012Validator.check_schema(schema)
    # PyYAML knows YAML 1.1, to which the key `on` is true.
    example = yaml.safe_load(EXAMPLE.read_text().replace(" on: ", " 'on': "))
    assert list(Draft202012Validator(schema).iter_errors(example)) == []


def test_schema_marks_a_key_that_is_not_there() -> None:
    """An editor that has the schema finds a misspelt key."""
    validator = Draft202012Validator(json.loads(pointsman("schema").out))
    errors = validator.iter_errors({"version": 1, "mappings": [], "enviroments": {}})
    assert ["enviroments" in error.message for error in errors] == [True]


def test_output_into_a_closed_pipe_ends_without_a_traceback(tmp_path: Path) -> None:
    """`pointsman schema | head -1` says nothing of a broken pipe."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "schema"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) in {1, 141}
