"""Queues of one's own, what a project overrides in its template, and whether its files are up to date."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.init import Action
from serverless_tasks.cli.init.overrides import FILE, with_overrides
from serverless_tasks.cli.init.queues import OwnQueue, with_queues
from serverless_tasks.errors import ConfigurationError
from tests.support.init import init_project

ROOT = Path(__file__).parents[3]
TEMPLATE = (ROOT / "template.yaml").read_text()
TASK = "from serverless_tasks import Task\n\n\nclass Send(Task):\n    queue = {queue!r}\n    def run(self): ...\n"


class Plain(yaml.SafeLoader):
    """CloudFormation's short forms as what they say."""


def _short(loader: Any, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {f"!{tag}": loader.construct_scalar(node)}
    made = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return {f"!{tag}": made(node, deep=True)}


Plain.add_multi_constructor("!", _short)


def read(text: str) -> Any:
    return yaml.load(text, Plain)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/background.py").write_text(TASK.format(queue="default"))
    (tmp_path / "manage.py").write_text("")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


class TestQueues:
    def test_one_is_in_all_places_in_which_low_is(self) -> None:
        made = with_queues(TEMPLATE, [OwnQueue.parse("emails:concurrency=3")])
        assert len(re.findall("Emails(Queue|Concurrency)", made)) == len(
            re.findall("Low(Queue|Concurrency)", TEMPLATE)
        )
        before, after = read(TEMPLATE), read(made)
        assert set(after["Resources"]) - set(before["Resources"]) == {"EmailsQueue", "EmailsQueueAgeAlarm"}
        assert after["Parameters"]["EmailsConcurrency"]["Default"] == 3
        events = after["Resources"]["WorkerFunction"]["Properties"]["Events"]
        assert events["Emails"]["Properties"]["Queue"] == {"!GetAtt": "EmailsQueue.Arn"}
        assert after["Resources"]["EmailsQueue"] == before["Resources"]["LowQueue"]
        assert '"emails": "${EmailsQueue}"' in json.dumps(after["Outputs"]["QueueUrls"]).replace('\\"', '"')

    def test_without_any_the_template_is_the_same(self) -> None:
        assert with_queues(TEMPLATE, []) == TEMPLATE

    def test_one_with_a_timeout_has_a_function_of_its_own(self) -> None:
        queues = [OwnQueue.parse("emails"), OwnQueue.parse("big-reports:timeout=120,age=7200")]
        resources = read(with_queues(TEMPLATE, queues))["Resources"]
        own, worker = resources["BigReportsWorkerFunction"], resources["WorkerFunction"]
        assert own["Properties"]["Timeout"] == 120
        assert resources["BigReportsQueue"]["Properties"]["VisibilityTimeout"] == 720
        assert set(own["Properties"]["Events"]) == {"BigReports"}
        assert set(worker["Properties"]["Events"]) == {"High", "Default", "Low", "Emails"}
        assert "ReservedConcurrentExecutions" not in own["Properties"]
        assert own["Properties"]["Role"] == worker["Properties"]["Role"]
        assert resources["BigReportsQueueAgeAlarm"]["Properties"]["Threshold"] == 7200
        for alarm in ("BigReportsWorkerErrorsAlarm", "BigReportsWorkerThrottlesAlarm"):
            [dimension] = resources[alarm]["Properties"]["Dimensions"]
            assert dimension["Value"] == {"!Ref": "BigReportsWorkerFunction"}
        statements = resources["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        [pausing] = [each for each in statements if "lambda:FunctionArn" in json.dumps(each)]
        arns = pausing["Condition"]["ArnEquals"]["lambda:FunctionArn"]
        assert arns == [{"!GetAtt": "WorkerFunction.Arn"}, {"!GetAtt": "BigReportsWorkerFunction.Arn"}]

    def test_the_dashboard_stays_json(self) -> None:
        queues = [OwnQueue.parse("emails"), OwnQueue.parse("reports:timeout=90")]
        body = read(with_queues(TEMPLATE, queues))["Resources"]["Dashboard"]["Properties"]["DashboardBody"][
            "!Sub"
        ]
        widgets = json.loads(body)["widgets"]
        labels = [metric[-1]["label"] for metric in widgets[2]["properties"]["metrics"]]
        assert labels == ["high", "default", "emails", "reports", "low", "dead letters"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("Emails", "'Emails' is no name of a queue"),
            ("low", "has a queue 'low' already"),
            ("long", "has a queue 'long' already"),
            ("emails:", "'' cannot be read"),
            ("emails:concurrency=1", "concurrency is from 2 to 1000"),
            ("emails:timeout=901", "timeout is from 30 to 900"),
            ("emails:speed=9", "'speed=9' cannot be read; expected NAME:concurrency=N"),
            ("emails:concurrency=3,concurrency=4", "cannot be read"),
        ],
    )
    def test_what_cannot_be_read_is_said(self, text: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            OwnQueue.parse(text)

    def test_later_runs_keep_it_change_it_and_take_it_away(self, project: Path) -> None:
        init_project(project, queues=["emails:concurrency=3"])
        template = project / "template.yaml"
        assert "EmailsQueue:" in template.read_text()
        assert Action.UPDATED not in {file.action for file in init_project(project)}
        init_project(project, queues=["emails:concurrency=9"])
        assert read(template.read_text())["Parameters"]["EmailsConcurrency"]["Default"] == 9
        init_project(project, drop_queues=["emails"])
        assert template.read_text() == TEMPLATE
        with pytest.raises(ConfigurationError, match="no such queue of your own; there are: none"):
            init_project(project, drop_queues=["emails"])

    @pytest.mark.parametrize("name", ["dead-letter", "reserved"])
    def test_nothing_is_named_twice(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=r"the template has a .* already; give another name"):
            with_queues(TEMPLATE, [OwnQueue.parse(name)])

    def test_the_time_of_its_own_worker_is_compared_with_its_tasks(self, project: Path) -> None:
        source = TASK.format(queue="reports").replace("    def run", "    timeout = 100\n    def run")
        (project / "shop/background.py").write_text(source)
        _, _, said = run("init", str(project), "--queue", "reports:timeout=60")
        assert "The worker has 60 seconds (--queue reports:timeout), less than 205" in said
        assert "deploy with --queue reports:timeout=210, or reduce the task's timeout" in said
        assert "The worker has" not in run("init", str(project), "--queue", "reports:timeout=210")[2]

    def test_a_task_of_a_queue_that_is_not_there_is_said(self, project: Path) -> None:
        (project / "shop/background.py").write_text(TASK.format(queue="emails"))
        _, _, said = run("init", str(project))
        assert "Task Send names the queue 'emails', which the template does not have" in said
        assert "names the queue" not in run("init", str(project), "--queue", "emails")[2]


class TestOverrides:
    def override(self, project: Path, text: str) -> Any:
        (project / "infra").mkdir(exist_ok=True)
        (project / FILE).write_text(text)
        return read(with_overrides(TEMPLATE, project))

    def test_properties_resources_and_removals(self, project: Path) -> None:
        made = self.override(
            project,
            "Resources:\n"
            "  WorkerFunction:\n    Properties:\n      EphemeralStorage: {Size: 2048}\n"
            "  ShopBucket: {Type: AWS::S3::Bucket}\n"
            "  Dashboard: null\n"
            "  PayloadBucketPolicy:\n    Properties:\n      PolicyDocument:\n        Statement+:\n"
            "          - {Sid: Mine, Effect: Deny, Principal: '*', Action: s3:*, Resource: !GetAtt PayloadBucket.Arn}\n"
            "Outputs:\n  ShopBucketName: {Value: !Ref ShopBucket}\n",
        )
        wanted = read(TEMPLATE)
        wanted["Resources"]["WorkerFunction"]["Properties"]["EphemeralStorage"] = {"Size": 2048}
        wanted["Resources"]["ShopBucket"] = {"Type": "AWS::S3::Bucket"}
        del wanted["Resources"]["Dashboard"]
        wanted["Resources"]["PayloadBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"].append(
            {
                "Sid": "Mine",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": {"!GetAtt": "PayloadBucket.Arn"},
            }
        )
        wanted["Outputs"]["ShopBucketName"] = {"Value": {"!Ref": "ShopBucket"}}
        assert made == wanted

    @settings(deadline=None)
    @given(
        overrides=st.dictionaries(
            st.sampled_from(["Timeout", "MemorySize", "Tags", "Environment", "Mine"]),
            st.recursive(
                st.integers() | st.booleans() | st.text("abc ", min_size=1),
                lambda inner: (
                    st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
                ),
                max_leaves=4,
            ),
        )
    )
    def test_nothing_else_changes(
        self, tmp_path_factory: pytest.TempPathFactory, overrides: dict[str, Any]
    ) -> None:
        small = (
            "Globals:\n  Function: # all\n    Timeout: !Ref Time\n    Environment: {Variables: {A: '1'}}\n"
        )
        small += "Resources:\n  A: {Type: X}\n"
        project = tmp_path_factory.mktemp("project")
        (project / "infra").mkdir()
        (project / FILE).write_text(yaml.safe_dump({"Globals": {"Function": overrides}}))
        wanted = read(small)
        _merged(wanted["Globals"]["Function"], overrides)
        assert read(with_overrides(small, project)) == wanted

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("Resource: {}", "'Resource', which is no section"),
            ("[]", "is no mapping"),
            (
                "Resources: {Tabel: {Properties: {A: 1}}}",
                "has no Resources.Tabel, and a new resource needs a Type",
            ),
            (
                "Resources: {Table: {Propertys: {A: 1}}}",
                "Resources.Table has 'Propertys', which no resource has",
            ),
            ("Outputs: {Nothing: null}", "takes Outputs.Nothing away, which the template does not have"),
            (
                "Outputs: {QueueUrls: {Value+: [1]}}",
                "adds to Outputs.QueueUrls.Value, which is a function (!If)",
            ),
            (
                "Resources: {Table: {Properties: {TableClass+: [1]}}}",
                "adds to Resources.Table.Properties.TableClass",
            ),
            ("a: [", "cannot be read"),
        ],
    )
    def test_what_is_wrong_is_said(self, project: Path, text: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            self.override(project, text)

    def test_init_merges_it_each_time(self, project: Path) -> None:
        init_project(project)
        self.override(project, "Resources:\n  Mine: {Type: AWS::SNS::Topic}\n")
        [file] = [
            file for file in init_project(project, queues=["emails"]) if file.path.name == "template.yaml"
        ]
        assert file.action == Action.UPDATED
        resources = read((project / "template.yaml").read_text())["Resources"]
        assert {"Mine", "EmailsQueue"} <= set(resources)
        assert {file.action for file in init_project(project)} == {Action.UNCHANGED}


def _merged(into: dict[str, Any], overrides: dict[str, Any]) -> None:
    for key, value in overrides.items():
        if (
            isinstance(value, dict)
            and isinstance(into.get(key), dict)
            and not any(each[0] == "!" for each in into[key])
        ):
            _merged(into[key], value)
        else:
            into[key] = value


class TestUpToDate:
    def test_check_ends_with_1_and_says_which_files(self, project: Path) -> None:
        code, told, said = run("init", str(project), "--check")
        assert code == 1
        assert "created  template.yaml" in told
        assert "8 files are out of date: run `serverless-tasks init` and commit what it writes." in said
        assert not (project / "template.yaml").exists()
        run("init", str(project))
        assert run("init", str(project), "--check") == (0, "All files are up to date.\n", "")

    def test_diff_shows_what_would_change_and_writes_nothing(self, project: Path) -> None:
        run("init", str(project))
        before = (project / "template.yaml").read_text()
        code, told, _ = run("init", str(project), "--queue", "emails", "--diff")
        assert code == 1
        assert "--- a/template.yaml\n+++ b/template.yaml\n" in told
        assert "+  EmailsQueue:\n" in told
        assert (project / "template.yaml").read_text() == before
        assert run("init", str(project), "--diff") == (0, "", "")

    def test_an_edited_file_is_out_of_date_until_its_new_version_was_offered(self, project: Path) -> None:
        run("init", str(project))
        template = project / "template.yaml"
        template.write_text(template.read_text() + "# mine\n")
        assert run("init", str(project), "--check")[0] == 0
        code, told, _ = run("init", str(project), "--queue", "emails", "--check", "--json")
        assert (code, json.loads(told)) == (1, [{"path": "template.yaml", "action": "offered"}])
        run("init", str(project), "--queue", "emails")
        assert run("init", str(project), "--check")[0] == 0
