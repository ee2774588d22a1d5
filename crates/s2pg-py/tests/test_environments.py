"""Environments of Gymnasium are trained in by every algorithm, in this process and in workers, with the same bits; what an
environment does wrong is one sentence with its name, nothing hangs, no process stays behind, and nothing is lost."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import odd
import pytest
import s2pg

gymnasium = pytest.importorskip("gymnasium")

# Quick settings of each algorithm; those that imitate learn from a recording of the pendulum.
SMALL = {
    "ppo": {"ppo": {"steps": 80, "minibatch": 40, "epochs": 2}},
    "trpo": {"trpo": {"steps": 80}},
    "reinforce": {"reinforce": {"episodes": 4}},
    "gpomdp": {"reinforce": {"episodes": 4}},
    "sac": {"sac": {"batch": 16, "initial": 20, "warmup": 30, "replay": 500}},
    "td3": {"td3": {"batch": 16, "initial": 20, "warmup": 30, "replay": 500}},
    "ddpg": {"td3": {"batch": 16, "initial": 20, "warmup": 30, "replay": 500}},
    "slac": {"slac": {"batch": 8, "model_batch": 4, "initial": 20, "pretraining": 3, "z1": 2, "z2": 3, "model_features": 4, "replay": 500}, "estimator": "window:3"},
}


def small(env, algorithm="ppo", **changes):
    return {
        "algorithm": algorithm,
        "estimator": "rs",
        "steps": 240,
        "env": {"name": env, "parallel": 2} if isinstance(env, str) else env,
        "network": {"features": 8, "critic_features": 8, "hidden": 6},
        "evaluation": {"every": 120, "episodes": 2},
        "checkpoint": {"every": 40},
        **SMALL[algorithm],
        **changes,
    }


def train(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return s2pg.train(*arguments, **options)


def files(run):
    return [(run.dir / name).read_bytes() for name in ("progress.csv", "eval.csv", "policy.safetensors")]


def workers(of=None):
    """The worker processes of the process `of`, or of this one."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            line = status.read_text()
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        if "_worker.py" in command and line.rpartition(")")[2].split()[1] == str(of or os.getpid()):
            found.append(status.parent.name)
    return found


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_every_algorithm_trains_in_an_environment_of_gymnasium(algorithm, tmp_path):
    """Every algorithm learns in the point on the line."""
    run = train(small("python:odd:line", algorithm), dir=tmp_path / "run")
    assert run.is_finished and len(run.evaluations["eval/mean_reward"]) == 2


def test_an_environment_is_named_handed_over_or_imported(tmp_path):
    """A name of Gymnasium, a function that is handed over, and one that a module has; a preset takes them as well."""
    run = train("ppo-rs/pendulum", env="gym:Pendulum-v1", steps=640, overrides={"ppo.steps": 320}, dir=tmp_path / "gym")
    assert run.experiment["env.name"] == '"gym:Pendulum-v1"' and s2pg.load(run).observations == ["o0", "o1", "o2"]
    mine = train(small(""), env=lambda: odd.line(), dir=tmp_path / "mine")
    imported = train(small("python:odd:line"), dir=tmp_path / "imported")
    assert files(mine)[0] == files(imported)[0]
    assert s2pg.evaluate(mine, 3).returns.tolist() == s2pg.evaluate(imported, 3).returns.tolist()
    with pytest.raises(s2pg.Error, match="hand it over again"):
        s2pg.load(mine.dir)
    options = train(small({"name": "python:odd:line", "length": 5}), dir=tmp_path / "options")
    assert s2pg.evaluate(options, 2).lengths.tolist() == [5, 5]


@pytest.mark.parametrize("critic", ["privileged", "critic"])
def test_a_dictionary_is_what_policy_and_critic_see(critic, tmp_path):
    """The entries `policy` and `privileged` of an observation are o and s."""
    env = {"name": "python:odd:goal", "parallel": 2, "critic": critic}
    run = train(small(env, critic="state"), dir=tmp_path / "run")
    policy = run.policy(latest=True)
    assert policy.observations == ["o0"]
    action, _ = policy.predict({"policy": np.zeros((3, 1)), critic: np.zeros((3, 2))})
    assert action.shape == (3, 1)


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
def test_the_last_observation_is_seen_in_each_autoreset_mode(mode, tmp_path):
    """A vector of one environment that resets itself trains as the environment does: the value function is shown the last
    observation of an episode, not the first of the next one."""
    alone = train(small("python:odd:line"), dir=tmp_path / "alone")
    vector = train(small({"name": "python:odd:vector", "parallel": 2, "mode": mode}), dir=tmp_path / "vector")
    assert files(alone)[0] == files(vector)[0]
    assert np.array_equal(s2pg.evaluate(alone, 2).returns, s2pg.evaluate(vector, 2).returns)
    with pytest.raises(s2pg.Error, match="vector of 2 environments; give s2pg one"):
        train(small({"name": "python:odd:vector", "n": 2}), dir=tmp_path / "two")


def test_the_number_of_workers_changes_no_bit(tmp_path):
    """In this process, in one worker, in two, and in more than there are environments: the same bits."""
    runs = [train(small("gym:Pendulum-v1"), dir=tmp_path / str(n), workers=n) for n in (0, 1, 2, 3)]
    assert all(files(run) == files(runs[0]) for run in runs)
    assert workers() == []
    mine = train(small(""), env=lambda: odd.line(), dir=tmp_path / "mine", workers=2)
    assert files(mine)[0] == files(train(small("python:odd:line"), dir=tmp_path / "here"))[0]


def test_a_run_goes_on_with_new_episodes(tmp_path):
    """A run that was stopped says that it does not go on to the bit, and goes on."""
    config = small("python:odd:line")
    part = train(config, dir=tmp_path / "run", callback=lambda p: p.steps < 101)
    assert not part.is_finished
    with pytest.warns(UserWarning, match="python:odd:line: the environment cannot be saved within an episode"):
        whole = s2pg.train(config, dir=tmp_path / "run")
    assert whole.is_finished and whole.progress["time/total_timesteps"].tolist() == [80, 160, 240]


FAULTS = {
    "shape": r"python:odd:line: an observation has the shape \(7,\), and its space says \(2,\)",
    "nan": "python:odd:line: .* were unstable.*; the last one: .*the entry `o0` of `o` is NaN",
    "nan reward": "python:odd:line: .* were unstable.*; the last one: .*the reward is NaN",
    "exception": "python:odd:line: the environment's own code failed in `step` at step 3 of the episode: ValueError: the wheel",
    "space that changes": r"python:odd:line: its observation space was Box.* and is now Box",
    "discrete": r"python:odd:line: its action space is Discrete\(3\), and s2pg draws numbers",
    "old reset": r"python:odd:line: its `reset` returns something else",
    "old step": r"python:odd:line: its `step` returns something else",
}


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_is_one_sentence(fault, n, tmp_path):
    """What an environment does wrong ends the run with a sentence that names it, and no worker stays behind."""
    config = small({"name": "python:odd:line", "parallel": 2, "fault": fault}, steps=4000)
    with pytest.raises(s2pg.Error, match=FAULTS[fault]) as e:
        train(config, dir=tmp_path / "run", workers=n)
    assert "\n" not in str(e.value)
    assert workers() == []


@pytest.mark.parametrize("fault", ["killed", "hangs"])
def test_a_worker_that_ends_or_hangs_is_one_sentence(fault, tmp_path):
    """A worker that is killed, or does not answer in time, ends the run; the run goes on from its last checkpoint."""
    config = small({"name": "python:odd:line", "parallel": 2})
    train(config, dir=tmp_path / "run", callback=lambda p: p.steps < 100)
    before = (tmp_path / "run/checkpoints/latest.safetensors").read_bytes()

    def broken():
        return odd.Line(fault, at=5)

    words = {"killed": "its worker process was killed by signal 9", "hangs": "did not answer within 1 s and was stopped"}
    other = small("", steps=240)
    began = time.monotonic()
    with pytest.raises(s2pg.Error, match=words[fault]):
        train(other, env=broken, dir=tmp_path / "broken", workers=2, timeout=300 if fault == "killed" else 1)
    assert time.monotonic() - began < 60 and workers() == []
    assert (tmp_path / "run/checkpoints/latest.safetensors").read_bytes() == before
    assert train(config, dir=tmp_path / "run").is_finished


def test_what_leaves_its_space_is_told_once(tmp_path):
    """An observation outside of its space is a warning with the environment's name, and the training goes on."""
    config = small({"name": "python:odd:line", "fault": "out of space"})
    for n in (0, 1):
        with pytest.warns(UserWarning, match="python:odd:line: entry 0 of an observation is 7, and its space says -1 to 1"):
            assert s2pg.train(config, dir=tmp_path / str(n), workers=n).is_finished


def test_an_episode_without_end_is_evaluated(tmp_path):
    """An environment that never ends an episode is trained in; evaluations cut its episodes."""
    config = small({"name": "python:odd:line", "fault": "never ending"}, evaluation={"every": 240, "episodes": 1})
    with pytest.warns(UserWarning, match="python:odd:line.* 10000 steps"):
        run = s2pg.train(config, dir=tmp_path / "run")
    assert run.evaluations["eval/mean_ep_length"].tolist() == [10_000]


def test_a_slow_reset_and_huge_observations_are_no_fault(tmp_path):
    """What is slow or large is waited for, in this process and in a worker."""
    slow = {"name": "python:odd:line", "fault": "slow reset", "length": 200}
    evaluation = {"every": 0}
    assert train(small(slow, evaluation=evaluation), dir=tmp_path / "slow", workers=1).is_finished
    huge = {"name": "python:odd:line", "size": 20_000, "parallel": 2}
    runs = [train(small(huge, evaluation=evaluation), dir=tmp_path / f"h{n}", workers=n) for n in (0, 2)]
    assert files(runs[0])[0] == files(runs[1])[0]
    with pytest.raises(s2pg.Error, match="python:odd:line: an observation has 20000000 entries"):
        train(small({**huge, "size": 20_000_000}), dir=tmp_path / "too-huge")


def test_what_is_no_environment_is_one_sentence(tmp_path):
    """A name that Gymnasium does not know, a module that is not there, and a function that makes something else."""
    for name, words in [
        ("gym:Nowhere-v0", "gym:Nowhere-v0: .*Nowhere"),
        ("python:nowhere:make", "python:nowhere:make: .*No module named 'nowhere'"),
        ("python:odd:nothing", "python:odd:nothing: what was made is int and no environment of Gymnasium"),
        ("gym:CartPole-v1", "gym:CartPole-v1: its action space is Discrete"),
    ]:
        for n in (0, 1):
            with pytest.raises(s2pg.Error, match=words) as e:
                train(small(name), dir=tmp_path / "run", workers=n)
            assert "\n" not in str(e.value) and not (tmp_path / "run").exists()


def test_the_command_line_trains_in_environments_of_python(tmp_path):
    """`python -m s2pg` and `s2pg --python` name an environment of Gymnasium, with workers, and give the same bits."""
    run = train(small("gym:Pendulum-v1"), dir=tmp_path / "here")
    programs = [[sys.executable, "-m", "s2pg"]]
    if "S2PG_BINARY" in os.environ:
        programs.append([os.environ["S2PG_BINARY"], "--python", sys.executable])
    for i, program in enumerate(programs):
        command = [*program, "train", str(run.dir / "experiment.toml"), "--dir", str(tmp_path / str(i)), "--workers", "2"]
        subprocess.run(command, check=True, capture_output=True)
        assert files(s2pg.Run(tmp_path / str(i))) == files(run)


def test_gymnasiums_cheetah_trains_as_ours_does(tmp_path):
    """HalfCheetah-v5 of Gymnasium and of this project give the same curve to the bit, where both use one version of MuJoCo
    and start without noise, which they draw from different generators."""
    if pytest.importorskip("mujoco").__version__ != "3.17.0":
        pytest.skip("this project is built with MuJoCo 3.17.0")
    runs = []
    for name in ("HalfCheetah-v5", "gym:HalfCheetah-v5"):
        env = {"name": name, "reset_noise_scale": 0.0}
        evaluation = {"every": 1000, "episodes": 1}
        steps = int(os.environ.get("S2PG_CHEETAH", 2000))
        td3 = {"batch": 16, "warmup": 500, "initial": 500, "replay": 20_000}
        config = small(env, "td3", steps=steps, evaluation=evaluation, td3=td3, estimator="rs", checkpoint={"every": 0})
        runs.append(train(config, dir=tmp_path / name.replace(":", "-")))
    ours, theirs = (run.evaluations["eval/mean_reward"].tolist() for run in runs)
    assert ours == theirs
    ours, theirs = (run.progress for run in runs)
    assert ours.keys() - theirs.keys() <= {"rollout/distance"}
    for column in theirs:
        np.testing.assert_array_equal(ours[column], theirs[column])
    assert runs[0].policy(latest=True).predict(np.ones(17), deterministic=True)[0].tolist() == (
        runs[1].policy(latest=True).predict(np.ones(17), deterministic=True)[0].tolist()
    )


def test_a_trainer_that_is_killed_leaves_no_worker(tmp_path):
    """Workers end with the process that they work for, however it ends, and also within a step."""
    program = (
        "import sys, s2pg\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "env = {'name': 'python:odd:line', 'fault': 'hangs', 'parallel': 2}\n"
        "config = {'algorithm': 'ppo', 'estimator': 'rs', 'steps': 100000, 'env': env}\n"
        f"s2pg.train(config, dir={str(tmp_path / 'run')!r}, workers=2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(found := workers(process.pid)) < 2:
        time.sleep(0.05)
    assert len(found) == 2
    process.kill()
    process.wait()
    while time.monotonic() < deadline and any(Path("/proc", pid).exists() for pid in found):
        time.sleep(0.05)
    assert not any(Path("/proc", pid).exists() for pid in found)
