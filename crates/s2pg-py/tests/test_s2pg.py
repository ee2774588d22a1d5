"""The package trains, loads, predicts, evaluates and reports: with the same bits as the command line, and as the recurrent
policies of Stable-Baselines3 do."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import s2pg

SMALL = {
    "algorithm": "ppo",
    "estimator": "rs",
    "steps": 1200,
    "env": {"name": "PendulumPOMDP-v1", "parallel": 2},
    "network": {"features": 16, "critic_features": 16, "hidden": 8},
    "ppo": {"steps": 400, "minibatch": 100},
    "evaluation": {"every": 600, "episodes": 2},
}
FILES = ["progress.csv", "eval.csv", "policy.safetensors", "experiment.toml", "checkpoints/best.safetensors"]


def small(**changes):
    return {**SMALL, **changes}


def same(a, b):
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in FILES)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return s2pg.train(SMALL, seed=3, dir=tmp_path_factory.mktemp("runs") / "pendulum")


def test_a_training_leaves_tables_and_a_curve(run):
    """A run that is trained has its tables as arrays, and pictures of its curve."""
    assert run.is_finished
    assert run.progress["time/total_timesteps"].tolist() == [400, 800, 1200]
    assert np.isfinite(run.evaluations["eval/mean_reward"]).all()
    assert run.experiment["ppo.minibatch"] == "100"
    assert run.curve.read_text().startswith("<svg") and (run.dir / "curve.png").is_file()
    assert set(run.progress) >= {"rollout/ep_rew_mean"} and len(run.times["time/time_elapsed"]) == 3


@pytest.mark.parametrize("binary", [False, True])
def test_the_command_line_gives_the_same_bits(run, tmp_path, binary):
    """The package, `python -m s2pg` and the program s2pg write the same files."""
    if binary and "S2PG_BINARY" not in os.environ:
        pytest.skip("S2PG_BINARY names no program")
    program = [os.environ["S2PG_BINARY"]] if binary else [sys.executable, "-m", "s2pg"]
    command = [*program, "train", str(run.dir / "experiment.toml"), "--dir", str(tmp_path / "run"), "--threads", "1"]
    subprocess.run(command, check=True, capture_output=True)
    assert same(run.dir, tmp_path / "run")
    evaluation = subprocess.run([*program, "eval", str(run.dir), "--json"], check=True, capture_output=True, text=True)
    means = [s2pg.evaluate(run, deterministic=kind).mean for kind in (True, False)]
    assert all(f'"mean": {mean!r}' in evaluation.stdout for mean in means), evaluation.stdout


def test_a_preset_takes_overrides(tmp_path):
    """A preset is trained by its name, with other keys, and what is no experiment is one sentence."""
    assert "ppo-rs/pendulum" in s2pg.presets()
    run = s2pg.train("ppo-rs/pendulum", steps=600, overrides={"ppo.steps": 320, "ppo.minibatch": 50}, dir=tmp_path / "a")
    assert run.experiment["ppo.steps"] == "320" and run.experiment["steps"] == "600"
    for wrong, words in [
        ("ppo-rs/pendulun", "near it: ppo-rs/pendulum"),
        ({"algorithm": "ppo"}, "`estimator` is missing"),
        (small(ppo={"clipp": 0.1}), "there is no key `ppo.clipp`"),
        (small(env={"name": "Nowhere-v0"}), "there is no such environment"),
    ]:
        with pytest.raises(s2pg.Error, match=words) as e:
            s2pg.train(wrong, dir=tmp_path / "wrong")
        assert "\n" not in str(e.value)


def test_a_run_that_is_stopped_goes_on_to_the_bit(run, tmp_path):
    """A callback stops a run with a checkpoint, its exception reaches the caller, and the run goes on to the bit."""
    steps = []

    def stop_at(n):
        def callback(progress):
            steps.append(progress.steps)
            return progress.steps < n

        return callback

    dir = tmp_path / "run"
    part = s2pg.train(SMALL, seed=3, dir=dir, callback=stop_at(501))
    assert not part.is_finished and steps[-1] == 502

    def fail(progress):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        s2pg.train(SMALL, seed=3, dir=dir, callback=fail)
    assert s2pg.train(SMALL, seed=3, dir=dir).is_finished
    assert same(run.dir, dir)


def test_ctrl_c_stops_with_a_checkpoint(tmp_path):
    """Ctrl-C stops at the next step with a checkpoint, and raises KeyboardInterrupt; Python runs on meanwhile."""
    started, ticks = threading.Event(), []

    def interrupt():
        started.wait(60)
        ticks.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        s2pg.train(small(steps=10_000_000), dir=tmp_path / "run", callback=lambda _: started.set())
    thread.join()
    assert time.monotonic() - ticks[0] < 30
    assert (tmp_path / "run/checkpoints/latest.safetensors").is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("estimator", ["rs", "rs:4", "bptt:4", "window:3", "vanilla"])
def test_predict_is_what_an_evaluation_does(tmp_path, estimator):
    """A state that is given back makes an episode go on, alone and in a batch; an episode's start clears it."""
    run = s2pg.train(small(estimator=estimator, steps=400), dir=tmp_path / "run")
    policy = run.policy(latest=True)
    o = np.sin(np.arange(24, dtype=np.float64)).reshape(6, 2, 2)
    state, rows = None, []
    for x in o:
        actions, state = policy.predict(x, state, deterministic=True)
        assert actions.shape == (2, 1) and actions.dtype == np.float32
        rows.append(actions)
    assert isinstance(state, tuple) and all(x.shape[:2] == (1, 2) for x in state)
    for e in range(2):
        state = None
        for t, x in enumerate(o[:, e]):
            action, state = policy.predict(x, state, deterministic=True)
            assert action.shape == (1,)
            np.testing.assert_allclose(action, rows[t][e], rtol=1e-5, atol=1e-6)
    # The first environment starts again, the second goes on.
    _, state = policy.predict(o[0], None, deterministic=True)
    again, _ = policy.predict(o[1], state, np.array([True, False]), deterministic=True)
    fresh, _ = policy.predict(o[1], None, deterministic=True)
    np.testing.assert_array_equal(again[0], fresh[0])
    np.testing.assert_allclose(again[1], rows[1][1], rtol=1e-5, atol=1e-6)
    policy.set_random_seed(1)
    first, _ = policy.predict(o[0])
    policy.set_random_seed(1)
    second, _ = policy.predict(o[0])
    np.testing.assert_array_equal(first, second)
    assert (abs(policy.predict(1e6 * o[0])[0]) <= 2).all()


def test_predict_says_what_it_takes(run):
    """Observations and states of another shape are one sentence."""
    policy = s2pg.load(run.dir)
    for arguments, words in [
        ((np.zeros(3),), r"takes \[2\] or \[n, 2\]"),
        ((np.zeros((4, 3)),), r"takes \[2\] or \[n, 2\]"),
        ((np.zeros(2), policy.predict(np.zeros((3, 2)))[1]), "give back what the call before returned"),
        ((np.zeros((2, 2)), None, [True]), "`episode_start` has 1 entries, and there are 2 observations"),
    ]:
        with pytest.raises(s2pg.Error, match=words):
            policy.predict(*arguments)


def test_runs_are_compared(run, tmp_path):
    """A report is a table, and files."""
    assert "| PPO-RS | 1200 |" in s2pg.report([run], tmp_path / "report")
    assert (tmp_path / "report/report.svg").is_file()
    with pytest.raises(s2pg.Error, match="no run"):
        s2pg.Run(tmp_path)


def test_the_loop_of_stable_baselines3_runs_unchanged(run):
    """`evaluate_policy` of Stable-Baselines3 takes the policy as it is."""
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    gymnasium = pytest.importorskip("gymnasium")

    def partly_seen():
        env = gymnasium.make("Pendulum-v1")
        space = gymnasium.spaces.Box(-1, 1, (2,))
        return gymnasium.wrappers.TransformObservation(env, lambda o: o[:2], space)

    from stable_baselines3.common.env_util import make_vec_env

    returns, lengths = evaluation.evaluate_policy(
        run.policy(), make_vec_env(partly_seen, 2, seed=1), 4, deterministic=True, return_episode_rewards=True
    )
    assert lengths == [200] * 4 and all(-2000 < r < 0 for r in returns)


@pytest.mark.parametrize("example", ["1_train_a_preset", "2_own_environment", "3_evaluate_and_plot"])
def test_the_examples_run(example, tmp_path):
    """Each example runs, here with few steps."""
    pytest.importorskip("gymnasium")
    program = Path(__file__).parent.parent / "examples" / f"{example}.py"
    result = subprocess.run([sys.executable, program, "10240"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) >= 2


def test_the_ten_lines_of_the_readme_run(tmp_path):
    """What the README of the repository shows of Python runs as it stands, but for the number of steps."""
    text = (Path(__file__).parents[3] / "README.md").read_text()
    program = text.split("```python\n")[1].split("```")[0].replace("seed=1)", "seed=1, steps=10_240)")
    assert len(program.splitlines()) <= 12
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs/ppo-rs-pendulum-1/curve.svg").is_file()
