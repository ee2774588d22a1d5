//! The examples do what they say.

#[allow(dead_code)]
#[path = "../examples/own_environment.rs"]
mod own_environment;
#[allow(dead_code)]
#[path = "../examples/own_policy.rs"]
mod own_policy;

/// The environment of the example keeps what it owes, and is solved with memory and not without it.
#[test]
fn an_own_environment_is_trained() {
    assert_eq!(own_environment::complaints().unwrap(), [""; 0]);
    assert!(own_environment::run(&[]).unwrap() > 15.0);
    assert!(own_environment::run(&["estimator=vanilla".into()]).unwrap() < 2.0);
}

/// The policy of the example learns to remember.
#[test]
fn an_own_policy_is_trained() {
    assert!(own_policy::run(40_000, 0).unwrap() > 0.9);
}
